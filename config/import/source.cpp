#include "config/import/source.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "config/aws_import.hpp"
#include "config/import/aws_rules.hpp"

namespace cgw::config {
namespace {

constexpr std::string_view kBlank = " \t\r\n";

// UTF-16 is what PowerShell's '>' and older Notepads write.
bool utf16(std::string_view text) {
  return text.starts_with("\xff\xfe") || text.starts_with("\xfe\xff");
}

}  // namespace

Source::Source(std::string_view text) : text_(text), starts_{0} {
  for (auto at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    starts_.push_back(at + 1);
}

Source Source::inside(std::string_view text, Spot outer, std::string name) {
  Source s(text);
  s.outer_ = std::move(outer);
  s.name_ = std::move(name);
  return s;
}

Spot Source::spot(std::size_t offset) const {
  const auto at = std::min(offset, text_.size());
  const auto after = std::ranges::upper_bound(starts_, at);
  const auto line = static_cast<unsigned>(after - starts_.begin());
  const auto column = static_cast<unsigned>(at - *std::prev(after) + 1);
  if (!embedded()) return {line, column, {}};
  return {outer_.line, outer_.column, fmt::format("{} {}:{}", name_, line, column)};
}

void Complaints::at(const Spot& spot, std::string text) {
  if (!spot.part.empty()) text = fmt::format("in {}: {}", spot.part, text);
  list_.push_back({file_, spot.line, spot.column, std::move(text)});
}

bool readable(const Source& source, Complaints& wrong) {
  const auto text = source.text();
  if (text.size() > kMaxImportOctets) {
    wrong.whole(
        fmt::format("is longer than {} octets; AWS's file has a few thousand: is it the right one?", kMaxImportOctets));
    return false;
  }
  if (utf16(text)) {
    wrong.at(source.spot(0),
             "is UTF-16, by its byte order mark; save it as UTF-8 (PowerShell: 'Out-File -Encoding utf8')");
    return false;
  }
  if (const auto at = text.find('\0'); at != std::string_view::npos) {
    wrong.at(source.spot(at), "holds a zero octet: it is not UTF-8; save it as UTF-8");
    return false;
  }
  if (const auto at = not_utf8(text)) {
    wrong.at(source.spot(*at),
             fmt::format("octet {:#04x} is not UTF-8; save the file as UTF-8", static_cast<std::uint8_t>(text[*at])));
    return false;
  }
  if (!trim(text).empty()) return true;
  wrong.whole("is empty: download the configuration again");
  return false;
}

std::string trim(std::string_view s) {
  const auto from = s.find_first_not_of(kBlank);
  if (from == std::string_view::npos) return {};
  return std::string(s.substr(from, s.find_last_not_of(kBlank) - from + 1));
}

std::vector<std::string_view> words(std::string_view s) {
  std::vector<std::string_view> out;
  for (auto at = s.find_first_not_of(kBlank); at != std::string_view::npos; at = s.find_first_not_of(kBlank, at)) {
    const auto end = std::min(s.find_first_of(kBlank, at), s.size());
    out.push_back(s.substr(at, end - at));
    at = end;
  }
  return out;
}

std::string lower(std::string_view s) {
  std::string out(s);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::vector<Line> lines_of(std::string_view text) {
  std::vector<Line> out;
  std::size_t at = text.starts_with("\xef\xbb\xbf") ? 3 : 0;
  while (at < text.size()) {
    const auto end = text.find('\n', at);
    const bool ended = end != std::string_view::npos;
    auto line = text.substr(at, (ended ? end : text.size()) - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    out.push_back({line, at, ended});
    if (!ended) break;
    at = end + 1;
  }
  return out;
}

}  // namespace cgw::config
