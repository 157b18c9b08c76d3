#include "config/import/aws_samples.hpp"

#include <algorithm>
#include <charconv>

#include <fmt/format.h>

namespace cgw::config {

bool take_id(const Source& source, const Line& line, ConnectionFacts& out) {
  const auto from = line.text.find("Your ");
  const auto colon = line.text.find(':');
  if (from == std::string_view::npos || colon == std::string_view::npos || colon < from) return false;
  if (line.text.substr(0, from).find_first_not_of(" \t#!*/") != std::string_view::npos) return false;
  const std::string what = lower(collapsed(line.text.substr(from + 5, colon - from - 5)));
  const std::string value = trim(line.text.substr(colon + 1));
  Field f{value, what, source.spot(line.offset + colon + 1)};
  if (what == "vpn connection id") {
    out.at = source.spot(line.offset);
    out.id = std::move(f);
  } else if (what == "customer gateway id") {
    out.customer_gateway = std::move(f);
  } else if (what == "virtual private gateway id" || what == "transit gateway id") {
    out.gateway = std::move(f);
  } else {
    return false;
  }
  return true;
}

bool whole(const Source& source, const std::vector<Line>& lines, const ConnectionFacts& c, bool closed,
           Complaints& wrong) {
  constexpr const char* kCut = "the file is truncated; download it again";
  const Line& last = lines.back();
  if (!last.ended && !closed) {
    wrong.at(source.spot(source.text().size()), fmt::format("the last line has no end: {}", kCut));
    return false;
  }
  if (c.tunnels.size() != 1 || closed) return true;
  wrong.at(source.spot(last.offset), fmt::format("ends after its first tunnel: {}", kCut));
  return false;
}

std::string floor_of(std::string_view encryption, std::string_view integrity, std::string_view group) {
  std::string cipher(encryption);
  if (cipher == "aes128" || cipher == "aes256") cipher = fmt::format("aes-{}-cbc", cipher.substr(3));
  if (group == "modp1024") group = "2";
  if (group == "modp2048") group = "14";
  return fmt::format("{} {} group{}", cipher, integrity, group);
}

std::string collapsed(std::string_view s) {
  std::string out;
  for (const auto word : words(s))
    out += (out.empty() ? "" : " ") + std::string(word);
  return out;
}

std::string without_unit(std::string_view s) {
  const auto w = words(s);
  const bool unit = w.size() == 2 && (w[1].starts_with("second") || w[1].starts_with("byte"));
  return unit ? std::string(w[0]) : std::string(s);
}

std::string unquoted(std::string_view s) {
  const bool quoted = s.size() >= 2 && (s.front() == '\'' || s.front() == '"') && s.back() == s.front();
  return std::string(quoted ? s.substr(1, s.size() - 2) : s);
}

std::string in_seconds(std::string_view s) {
  std::uint32_t v = 0;
  const auto [end, ec] = std::from_chars(s.data(), s.data() + s.size(), v);
  if (ec != std::errc{} || end + 1 != s.data() + s.size() || v > 1'000'000) return std::string(s);
  switch (*end) {
    case 's': return std::to_string(v);
    case 'm': return std::to_string(v * 60);
    case 'h': return std::to_string(v * 3600);
    case 'd': return v < 10'000 ? std::to_string(v * 86400) : std::string(s);
    default: return std::string(s);
  }
}

void split_length(Field& f, TunnelFacts* to) {
  const auto slash = f.text.find('/');
  if (slash == std::string::npos) return;
  if (to != nullptr) to->inside_length = {f.text.substr(slash + 1), f.name, f.at};
  f.text.resize(slash);
}

}  // namespace cgw::config
