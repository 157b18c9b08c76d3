#include "config/import/json_tree.hpp"

#include <fmt/format.h>
#include <boost/json/basic_parser_impl.hpp>

namespace cgw::config {
namespace {

constexpr std::size_t kMaxValues = 100'000, kMaxDepth = 32;

// What the parser tells, put together. It is fed octet by octet, and so every event has its place: where the octets
// began that led to it.
class Builder {
 public:
  static constexpr std::size_t max_object_size = kMaxValues, max_array_size = kMaxValues, max_key_size = 1U << 10,
                               max_string_size = 1U << 20;
  using error_code = boost::json::error_code;
  using string_view = boost::json::string_view;

  // Before each octet.
  void octet(char c, std::size_t offset) {
    if (!between_ || c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ',' || c == ':') return;
    start_ = offset;
    between_ = false;
  }
  bool too_many() const { return values_ > kMaxValues; }
  std::optional<JsonNode> take() {
    if (open_.empty()) return std::nullopt;
    return std::move(open_.front());
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code& ec) { return begin(JsonNode::Kind::Object, ec); }
  bool on_object_end(std::size_t, error_code&) { return end(); }
  bool on_array_begin(error_code& ec) { return begin(JsonNode::Kind::Array, ec); }
  bool on_array_end(std::size_t, error_code&) { return end(); }
  bool on_key_part(string_view s, std::size_t, error_code&) { return part(s); }
  bool on_key(string_view s, std::size_t, error_code&) {
    part(s);
    between_ = true;
    keys_.back() = std::move(part_);
    part_.clear();
    return true;
  }
  bool on_string_part(string_view s, std::size_t, error_code&) { return part(s); }
  bool on_string(string_view s, std::size_t, error_code& ec) {
    part(s);
    return value(JsonNode::Kind::String, ec);
  }
  bool on_number_part(string_view s, error_code&) { return part(s); }
  bool on_int64(std::int64_t, string_view s, error_code& ec) { return number(s, ec); }
  bool on_uint64(std::uint64_t, string_view s, error_code& ec) { return number(s, ec); }
  bool on_double(double, string_view s, error_code& ec) { return number(s, ec); }
  bool on_bool(bool b, error_code& ec) {
    part_ = b ? "true" : "false";
    return value(JsonNode::Kind::Bool, ec);
  }
  bool on_null(error_code& ec) { return value(JsonNode::Kind::Null, ec); }
  bool on_comment_part(string_view, error_code&) { return true; }
  bool on_comment(string_view, error_code&) { return true; }

 private:
  bool part(string_view s) {
    part_.append(s.data(), s.size());
    return true;
  }
  bool number(string_view s, error_code& ec) {
    part(s);
    return value(JsonNode::Kind::Number, ec);
  }
  bool value(JsonNode::Kind kind, error_code& ec) {
    JsonNode node{.kind = kind, .offset = start_, .text = std::move(part_)};
    part_.clear();
    between_ = true;
    return place(std::move(node), ec);
  }
  bool place(JsonNode&& node, error_code& ec) {
    if (++values_ > kMaxValues) {
      ec = boost::json::error::exception;
      return false;
    }
    if (open_.empty()) {
      open_.push_back(std::move(node));
    } else if (open_.back().kind == JsonNode::Kind::Object) {
      open_.back().members.push_back({std::move(keys_.back()), std::move(node)});
    } else {
      open_.back().items.push_back(std::move(node));
    }
    return true;
  }
  bool begin(JsonNode::Kind kind, error_code& ec) {
    if (++values_ > kMaxValues) {
      ec = boost::json::error::exception;
      return false;
    }
    open_.push_back({.kind = kind, .offset = start_});
    keys_.emplace_back();
    between_ = true;
    return true;
  }
  bool end() {
    between_ = true;
    keys_.pop_back();
    if (open_.size() == 1) return true;
    JsonNode done = std::move(open_.back());
    open_.pop_back();
    error_code ignored;
    --values_;
    return place(std::move(done), ignored);
  }

  std::vector<JsonNode> open_;     // objects and arrays around what is read
  std::vector<std::string> keys_;  // of each of these, of the member that is read
  std::string part_;
  std::size_t start_ = 0, values_ = 0;
  bool between_ = true;  // what is read next begins a value or a key
};

}  // namespace

std::optional<JsonNode> parse_json(const Source& source, Complaints& wrong) {
  boost::json::parse_options options;
  options.max_depth = kMaxDepth;
  boost::json::basic_parser<Builder> parser(options);
  const auto text = source.text();
  boost::json::error_code ec;
  for (std::size_t i = text.starts_with("\xef\xbb\xbf") ? 3 : 0; i < text.size(); ++i) {
    parser.handler().octet(text[i], i);
    const auto taken = parser.write_some(i + 1 < text.size(), text.data() + i, 1, ec);
    if (!ec && taken == 1) continue;
    if (!ec) {
      wrong.at(source.spot(i), "goes on after the end of its JSON: the file is damaged; download it again");
      return std::nullopt;
    }
    if (parser.handler().too_many()) {
      wrong.at(source.spot(i), fmt::format("holds more than {} values: it is not AWS's", kMaxValues));
    } else if (ec == boost::json::error::incomplete) {
      wrong.at(source.spot(text.size()), "ends too early: the file is truncated; download it again");
    } else {
      wrong.at(source.spot(i), fmt::format("is not JSON ({}): the file is damaged; download it again", ec.message()));
    }
    return std::nullopt;
  }
  return parser.handler().take();
}

}  // namespace cgw::config
