#pragma once
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/import/aws_facts.hpp"
#include "config/import/json_tree.hpp"

// Parts of the JSON reader; private to it.
namespace cgw::config {

// By its name in lower case: requests and answers differ in case only (DPDTimeoutSeconds, DpdTimeoutSeconds).
const JsonNode* member(const JsonNode& object, std::string_view name);
// Of a member that is no list or object; empty: there is none.
std::string text_of(const JsonNode& object, std::string_view name);
// Adds the names of members that are not among these.
void unknown_members(const JsonNode& object, std::span<const std::string_view> known, std::vector<std::string>& out);
// A tunnel by AWS's outside address; null: none has it.
TunnelFacts* by_outside(ConnectionFacts& c, std::string_view address);

// Options.TunnelOptions: each entry belongs to the tunnel whose outside address it names, at whatever place it stands.
void read_tunnel_options(const Source& source, const JsonNode& list, ConnectionFacts& c, Complaints& wrong);

}  // namespace cgw::config
