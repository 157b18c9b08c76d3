#pragma once
#include <optional>
#include <string>

#include "bgp/policy/apply.hpp"

// The single steps of route maps; private to this folder.
namespace cgw::bgp::policy {

// A route on its way through maps. The text of its AS path is made when first asked for.
struct Passage {
  const PolicySet& set;
  Route& route;
  const Context& context;
  std::optional<std::string> as_path_text = {};

  const std::string& path_text();
};

// why: for traces, what decided; may be null.
bool matches(Passage& p, const Match& m, std::string* why);
void perform(Passage& p, const Set& s);

}  // namespace cgw::bgp::policy
