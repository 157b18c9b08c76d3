#include "daemon/policy_test.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <span>

#include <fmt/format.h>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "base/communities.hpp"
#include "bgp/policy/apply.hpp"
#include "config/grammar.hpp"

namespace cgw {
namespace json = boost::json;
namespace p = bgp::policy;
namespace {

struct Question {
  p::Route route;
  p::Context context;
  std::string interface, connection;
};
using Words = std::span<const std::string_view>;

template <class T>
bool read_number(std::string_view text, T& out) {
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), out);
  return ec == std::errc{} && end == text.data() + text.size();
}
template <class T>
bool read_one(Words w, T& out) {
  return w.size() == 1 && read_number(w[0], out);
}
template <class T>
bool read_one(Words w, std::optional<T>& out) {
  return read_one(w, out.emplace());
}
bool read_address(Words w, IpAddress& out) {
  const auto a = w.size() == 1 ? IpAddress::parse(w[0]) : fail(std::string());
  if (a) out = *a;
  return a.has_value();
}

bool read_as_path(Question& q, Words w) {
  bgp::AsPathSegment sequence;
  for (const auto word : w) {
    std::uint32_t as = 0;
    if (!read_number(word, as) || as == 0) return false;
    sequence.asns.emplace_back(as);
  }
  q.route.attributes.as_path = {std::move(sequence)};
  return true;
}

template <class T, class Parse>
bool read_each(std::vector<T>& out, Words w, Parse parse) {
  for (const auto word : w) {
    const auto one = parse(word);
    if (!one) return false;
    out.push_back(*one);
  }
  return !w.empty();
}

bool read_extended(Question& q, Words w) {
  return w.size() > 1 && read_each(q.route.attributes.extended_communities, w.subspan(1),
                                   [&](std::string_view word) { return parse_extended_community(w[0], word); });
}

template <class T>
bool read_name(Words w, std::initializer_list<T> all, auto name, T& out) {
  const auto it = std::ranges::find_if(all, [&](T one) { return w.size() == 1 && name(one) == w[0]; });
  if (it == all.end()) return false;
  out = *it;
  return true;
}

bool read_direction(Question& q, Words w) {
  using enum p::Context::Direction;
  const auto name = [](p::Context::Direction d) -> std::string_view {
    return d == Import ? "in" : (d == Export ? "out" : "local");
  };
  return read_name(w, {Import, Export, Originate}, name, q.context.direction);
}

bool read_tunnel(Question& q, Words w) {
  if (w.size() != 2 || !read_number(w[1], q.context.tunnel)) return false;
  q.connection = std::string(w[0]);
  return true;
}

using Reader = std::function<bool(Question&, Words)>;
const std::map<std::string_view, Reader>& readers() {
  using Q = Question;
  static const std::map<std::string_view, Reader> kAll{
      {"as-path", read_as_path},
      {"community", [](Q& q, Words w) { return read_each(q.route.attributes.communities, w, parse_community); }},
      {"large-community",
       [](Q& q, Words w) { return read_each(q.route.attributes.large_communities, w, parse_large_community); }},
      {"extcommunity", read_extended},
      {"metric", [](Q& q, Words w) { return read_one(w, q.route.attributes.med); }},
      {"local-preference", [](Q& q, Words w) { return read_one(w, q.route.attributes.local_pref); }},
      {"weight", [](Q& q, Words w) { return read_one(w, q.route.weight); }},
      {"tag", [](Q& q, Words w) { return read_one(w, q.route.tag); }},
      {"origin",
       [](Q& q, Words w) {
         using enum bgp::Origin;
         return read_name(
             w, {Igp, Egp, Incomplete}, [](bgp::Origin o) { return p::to_string(o); }, q.route.attributes.origin);
       }},
      {"next-hop", [](Q& q, Words w) { return read_address(w, q.route.attributes.next_hop); }},
      {"peer", [](Q& q, Words w) { return read_address(w, q.context.peer); }},
      {"interface",
       [](Q& q, Words w) {
         if (w.size() == 1) q.interface = std::string(w[0]);
         return w.size() == 1;
       }},
      {"tunnel", read_tunnel},
      {"source-protocol",
       [](Q& q, Words w) {
         using enum p::Protocol;
         return read_name(
             w, {Bgp, Connected, Static, Kernel}, [](p::Protocol x) { return p::to_string(x); }, q.context.protocol);
       }},
      {"direction", read_direction},
  };
  return kAll;
}

// PREFIX, then words that say what, each with its values.
Result<Question, std::string> read_question(Words words) {
  Question q;
  const auto prefix = Prefix::parse(words[0]);
  if (!prefix) return fail("% " + prefix.error());
  q.route.prefix = *prefix;
  for (std::size_t i = 1; i < words.size();) {
    const auto reader = readers().find(words[i]);
    if (reader == readers().end())
      return fail(fmt::format("% '{}' is nothing that a route has; see 'test policy route-map NAME ?'", words[i]));
    std::size_t end = i + 1;
    while (end < words.size() && !readers().contains(words[end]))
      ++end;
    if (!reader->second(q, words.subspan(i + 1, end - i - 1)))
      return fail(fmt::format("% '{}': its value is none; see 'test policy route-map NAME ?'", words[i]));
    i = end;
  }
  return q;
}

template <class T>
std::string text_of(const std::vector<T>& communities, std::string (*one)(T)) {
  std::string out;
  for (const T& c : communities)
    out += (out.empty() ? "" : " ") + one(c);
  return out.empty() ? "none" : out;
}

using Facts = std::vector<std::pair<std::string_view, std::string>>;
Facts facts(const p::Route& r) {
  const auto& a = r.attributes;
  const auto number = [](const std::optional<std::uint32_t>& n) { return n ? fmt::format("{}", *n) : "none"; };
  return {{"as-path", a.as_path_text()},
          {"community", text_of<std::uint32_t>(a.communities, community_text)},
          {"extcommunity", text_of<std::uint64_t>(a.extended_communities, extended_community_text)},
          {"large-community",
           text_of<LargeCommunityValue>(a.large_communities, [](auto c) { return large_community_text(c); })},
          {"local-preference", number(a.local_pref)},
          {"metric", number(a.med)},
          {"next-hop", r.next_hop == p::NextHopRule::Unchanged ? "unchanged" : a.next_hop.to_string()},
          {"origin", std::string(p::to_string(a.origin))},
          {"tag", fmt::format("{}", r.tag)},
          {"weight", fmt::format("{}", r.weight)}};
}

}  // namespace

Result<json::value, std::string> test_policy(const p::PolicySet& set, std::string_view request) {
  std::vector<std::string_view> words;
  for (const auto& w : config::split(request))
    words.push_back(w.text);
  if (words.size() < 5) return fail(std::string("% Command incomplete: test policy route-map NAME PREFIX"));
  const std::string_view map = words[3];
  if (p::find(set.route_maps, map) == nullptr) return fail(fmt::format("% there is no route-map {}", map));
  CGW_TRY(Question q, read_question(Words(words).subspan(4)));
  q.context.interface = q.interface;
  q.context.connection = q.connection;
  const Facts before = facts(q.route);
  p::Trace trace;
  const bool permitted = p::apply(set, map, q.route, q.context, &trace);

  std::string text;
  json::array steps;
  for (const auto& s : trace) {
    text += fmt::format("{}: {}\n", s.where, s.what);
    steps.push_back(json::object{{"where", s.where}, {"what", s.what}});
  }
  json::object changes;
  if (permitted) {
    const Facts after = facts(q.route);
    for (std::size_t i = 0; i < after.size(); ++i) {
      if (after[i] == before[i]) continue;
      text += fmt::format("  {}: {} -> {}\n", after[i].first, before[i].second, after[i].second);
      changes[after[i].first] = after[i].second;
    }
  }
  text += permitted ? "Result: permitted" : "Result: denied";
  return json::object{
      {"permitted", permitted}, {"steps", std::move(steps)}, {"changes", std::move(changes)}, {"text", text}};
}

}  // namespace cgw
