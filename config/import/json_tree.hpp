#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/import/source.hpp"

// JSON of a file, with the place of every value; private to this folder.
namespace cgw::config {

struct JsonMember;

struct JsonNode {
  enum class Kind : std::uint8_t { Null, Bool, Number, String, Array, Object } kind = Kind::Null;
  std::size_t offset = 0;
  std::string text;  // of a string; of a number as it is written; "true", "false"
  std::vector<JsonMember> members;
  std::vector<JsonNode> items;
};

struct JsonMember {
  std::string key;
  JsonNode node;
};

// Nothing, with a complaint, when it is not JSON or has more than a file of AWS's would.
std::optional<JsonNode> parse_json(const Source& source, Complaints& wrong);

}  // namespace cgw::config
