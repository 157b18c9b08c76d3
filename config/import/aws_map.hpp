#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "config/import/aws_facts.hpp"

// The parts of the mapper and what they share; private to aws_map*.cpp.
namespace cgw::config {

inline constexpr std::string_view kAgain = "download the file again";

struct Mapping {
  const ImportOptions& options;
  Complaints& wrong;
  bool several = false;  // connections: what is said names the one it is about
  Imported out{};
  std::set<IpAddress> outside{};
  std::vector<std::pair<Prefix, std::string>> inside{};

  std::string label(const Connection& c, unsigned tunnel) const;
  void note(const Connection& c, std::string text) { out.notes.push_back(prefixed(c, std::move(text))); }
  void warn(const Connection& c, std::string text) { out.warnings.push_back(prefixed(c, std::move(text))); }
  std::string prefixed(const Connection& c, std::string text) const;
};

// Typed values of a tunnel's fields; what is missing or wrong is complained of.
class Values {
 public:
  Values(const std::string& within, Complaints& wrong) : within_(within), wrong_(wrong) {}
  std::string need(const Field& f);
  // IPv6 inside an AWS connection means BGP over it, which is not here.
  enum class Allowed : std::uint8_t { Ipv4, Both };
  std::optional<IpAddress> address(const Field& f, Allowed allowed = Allowed::Ipv4);
  std::optional<std::uint32_t> number(const Field& f, std::uint32_t low, std::uint32_t high);

 private:
  const std::string& within_;
  Complaints& wrong_;
};

// How a tunnel's ends authenticate, or what to add so that they can.
void map_key(Mapping& m, const ConnectionFacts& facts, const TunnelFacts& from, const Connection& c, Tunnel& t);
void map_algorithms(Mapping& m, const TunnelFacts& from, const Connection& c, Tunnel& t, bool first);
// BGP or static routes, and what AWS does not know of them.
void map_routing(Mapping& m, const ConnectionFacts& facts, const Connection& c);
void map_bgp(Mapping& m, const TunnelFacts& from, const Connection& c, const Tunnel& t);

}  // namespace cgw::config
