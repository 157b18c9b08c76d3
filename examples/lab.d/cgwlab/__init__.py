"""An AWS Site-to-Site VPN stand-in in network namespaces: two tunnel endpoints, a VPC, a LAN."""
from .lab import Lab
from .plan import Options
from .shell import LabError

__all__ = ["Lab", "LabError", "Options"]
