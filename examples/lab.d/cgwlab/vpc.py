"""The VPC: one host that is also its router. It learns the customer's prefixes from both endpoints."""
import os

from . import plan
from .bird import Bird


class Vpc:
    def __init__(self, state):
        self.state = state
        self.bird = Bird(os.path.join(state.options.directory, "vpc"), state.options.namespace("vpc"))

    def start_bird(self):
        return self.bird.start(self.bird_configuration())

    def bird_configuration(self):
        """AWS takes the tunnel with the lower MED of the customer's announcement, and its own choice among equals:
        one number that has the MED above and the choice below says both."""
        sides = "\n".join(self._side(number) for number in plan.TUNNELS)
        return f"""router id {plan.VPC_HOST};
protocol device {{}}
protocol direct {{ ipv4; interface "br0"; }}
protocol kernel {{ ipv4 {{ export where source = RTS_BGP; import none; }}; }}
{sides}
"""

    def _side(self, number):
        choice = 0 if self.state.preferred == number else 1
        return f"""protocol bgp g{number} {{
  local {plan.VPC_HOST} as {plan.AWS_ASN}; neighbor {plan.TUNNEL[number].vpc} as {plan.AWS_ASN};
  connect retry time 2; connect delay time 1; error wait time 1,5;
  ipv4 {{
    import filter {{
      if defined(bgp_med) then bgp_med = bgp_med * 2 + {choice}; else bgp_med = {choice};
      accept;
    }};
    export none;
  }};
}}"""
