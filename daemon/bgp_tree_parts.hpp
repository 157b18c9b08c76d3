#pragma once
#include "daemon/bgp_tree.hpp"

// What the trees of routes have in common; private to them.
namespace cgw::bgp_tree {

std::string_view origin_word(std::uint8_t origin);  // "IGP"
// Why the best path of the prefix beat the others, in FRR's words.
std::string_view selection_reason(const bgp::Ribs& ribs, const bgp::Table& table, bgp::PrefixId id);
// Neither refused by policy nor left behind for good.
bool is_shown(const bgp::Table& table, const bgp::Path& p);
// Shares its prefix's packets with the best path, by the options of the decision.
bool multipath(const bgp::Ribs& ribs, const bgp::Table& table, bgp::PrefixId id, const bgp::Path& p);
std::string_view peer_type(bgp::SourceKind k);  // "external"; empty for our own

}  // namespace cgw::bgp_tree
