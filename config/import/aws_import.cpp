// Which of AWS's files it is, by what is in it.
#include "config/aws_import.hpp"

#include <optional>

#include <fmt/format.h>

#include "config/import/aws_facts.hpp"

namespace cgw::config {
namespace {

enum class Format : std::uint8_t { Xml, Json, Generic, Strongswan, Vyatta, Unknown };

std::string_view name_of(Format f) {
  switch (f) {
    case Format::Xml: return "customer gateway configuration (XML)";
    case Format::Json: return "describe-vpn-connections (JSON)";
    case Format::Generic: return "AWS's text for vendor Generic";
    case Format::Strongswan: return "AWS's sample for strongSwan";
    case Format::Vyatta: return "AWS's sample for Vyatta";
    case Format::Unknown: return "";
  }
  return "";
}

// A line that only one kind of file has, where comments are not in the way.
Format by_line(std::string_view line) {
  const auto w = words(line);
  if (w.empty()) return Format::Unknown;
  if (w.size() > 2 && w[0] == "set" && (w[1] == "vpn" || w[1] == "interfaces" || w[1] == "protocols"))
    return Format::Vyatta;
  if (w.size() == 2 && w[0] == "conn" && w[1] != "%default") return Format::Strongswan;
  if (w.size() > 2 && w[0] == "#1:" && w[1] == "Internet") return Format::Generic;
  return Format::Unknown;
}

Format recognized(std::string_view text) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return Format::Unknown;
  if (text[first] == '<') return Format::Xml;
  if (text[first] == '{' || text[first] == '[' || text[first] == '"') return Format::Json;
  for (const auto& line : lines_of(text)) {
    if (const auto f = by_line(line.text); f != Format::Unknown) return f;
  }
  // Cut off early, or in a shape that is not known: its reader says what is missing.
  return text.find("VPN Connection Configuration") != std::string_view::npos ? Format::Generic : Format::Unknown;
}

void read(Format format, const Source& source, const ImportOptions& options, Facts& facts, Complaints& wrong) {
  if (format == Format::Json) return read_json(source, options, facts, wrong);
  auto& c = facts.connections.emplace_back();
  switch (format) {
    case Format::Xml: return read_xml(source, c, wrong);
    case Format::Generic: return read_generic(source, c, wrong);
    case Format::Strongswan: return read_strongswan_sample(source, c, wrong);
    case Format::Vyatta: return read_vyatta_sample(source, c, wrong);
    case Format::Json:
    case Format::Unknown: break;
  }
  wrong.at(source.spot(0),
           "is none of AWS's files that are known here: the XML or JSON of 'aws ec2 describe-vpn-connections', or the "
           "download for vendor Generic, strongSwan or Vyatta; of the console's vendors choose 'Generic'");
}

Result<Imported, Diagnostics> imported(std::string_view text, std::string_view file, const ImportOptions& options,
                                       std::optional<Format> format) {
  Complaints wrong(file);
  const Source source(text);
  Facts facts;
  if (!readable(source, wrong)) return fail(wrong.take());
  if (!format) format = recognized(text);
  read(*format, source, options, facts, wrong);
  if (!wrong.none()) return fail(wrong.take());
  auto out = map_facts(facts, options, wrong);
  if (!out) return fail(wrong.take());
  // What only the language's own rows know of, such as an outside address that no host has.
  if (const auto again = parse(render(out->config), file); !again) {
    wrong.whole(fmt::format("does not make a valid configuration: {}", again.error().front().text));
    return fail(wrong.take());
  }
  out->format = name_of(*format);
  return std::move(*out);
}

}  // namespace

Result<Imported, Diagnostics> import_aws(std::string_view text, std::string_view file, const ImportOptions& options) {
  return imported(text, file, options, std::nullopt);
}

Result<Imported, Diagnostics> import_aws_xml(std::string_view text, std::string_view file,
                                             const ImportOptions& options) {
  return imported(text, file, options, Format::Xml);
}

}  // namespace cgw::config
