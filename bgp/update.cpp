#include "bgp/update.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "bgp/as4.hpp"
#include "bgp/attributes.hpp"
#include "bgp/nlri.hpp"

namespace cgw::bgp {
namespace {

std::unexpected<Notification> update_error(std::uint8_t subcode) {
  return fail(Notification{.code = 3, .subcode = subcode, .data = {}});
}

// RFC 7606 3(d).
std::string_view missing(const ReadAttributes& r, bool next_hop_needed) {
  if (!r.present.test(attribute::kOrigin)) return "ORIGIN";
  if (!r.present.test(attribute::kAsPath)) return "AS_PATH";
  if (next_hop_needed && !r.present.test(attribute::kNextHop)) return "NEXT_HOP";
  return {};
}

// RFC 4271 6.3, RFC 7606 7.2: the leftmost AS is the neighbor's. An old speaker cannot write a large one.
bool begins_with_neighbor(const PathAttributes& a, const UpdateContext& context) {
  const auto first = a.first_as();
  if (first == context.remote_as) return true;
  return !context.four_octet_as && context.remote_as.value() > 0xffff && first == kAsTrans;
}

// Whether routes with these attributes can be taken; if not, a finding says why.
bool can_be_announced(ReadAttributes& r, const UpdateContext& context, bool next_hop_needed) {
  if (r.withdraw) return false;
  const auto complain = [&](std::uint8_t type, std::string what) {
    r.findings.push_back({type, OnError::Withdraw, std::move(what), {}});
    return false;
  };
  if (const auto name = missing(r, next_hop_needed); !name.empty())
    return complain(0, fmt::format("{} is missing", name));
  if (context.ebgp && context.enforce_first_as && !begins_with_neighbor(r.attributes, context)) {
    return complain(attribute::kAsPath, fmt::format("AS_PATH '{}' does not begin with the neighbor's AS {}",
                                                    r.attributes.as_path_text(), context.remote_as.value()));
  }
  return true;
}

void append(std::vector<Nlri>& to, std::vector<Nlri>&& from) {
  if (to.empty()) {
    to = std::move(from);
  } else {
    to.insert(to.end(), from.begin(), from.end());
  }
}

// RFC 4271 6.3: a prefix that makes no sense "SHOULD be ignored", alone.
void drop_martians(Update& u, std::vector<Finding>& findings) {
  const auto martian = [](const Nlri& n) { return is_martian(n.prefix); };
  const auto bad = std::ranges::find_if(u.announced, martian);
  if (bad == u.announced.end()) return;
  findings.push_back({0,
                      OnError::Withdraw,
                      fmt::format("{} prefixes that are nobody's, the first {}",
                                  std::ranges::count_if(u.announced, martian), bad->prefix.to_string()),
                      {}});
  std::ranges::copy_if(u.announced, std::back_inserter(u.withdrawn), martian);
  std::erase_if(u.announced, martian);
}

// The routes that share one set of attributes: announced if those allow it.
void settle(Update& u, bool can, AttributesPtr attributes, std::vector<Finding>& findings) {
  if (!can) {
    append(u.withdrawn, std::move(u.announced));
    u.announced.clear();
    return;
  }
  drop_martians(u, findings);
  if (!u.announced.empty()) u.attributes = std::move(attributes);
}

struct Fields {
  Bytes withdrawn, attributes, nlri;
};

// What the fields before and behind the attributes hold: IPv4 unicast.
bool read_classic(const Fields& f, const UpdateContext& context, Update& out) {
  const auto ids = context.add_path_receive.v4 ? PathIds::Present : PathIds::Absent;
  return read_nlri(f.withdrawn, Family::V4, ids, out.withdrawn) && read_nlri(f.nlri, Family::V4, ids, out.announced);
}

void keep_unless_empty(Update u, ParsedUpdate& out) {
  if (!u.withdrawn.empty() || !u.announced.empty() || u.end_of_rib) out.updates.push_back(std::move(u));
}

// RFC 4724 2: an UPDATE of nothing, or of nothing but an empty MP_UNREACH_NLRI.
std::optional<Family> end_of_rib(Bytes body, const Fields& f, const ReadAttributes& read) {
  if (body.size() == 4) return Family::V4;
  const bool alone = read.count == 1 && f.withdrawn.empty() && f.nlri.empty();
  if (alone && read.unreach && read.unreach->routes.empty()) return read.unreach->family;
  return std::nullopt;
}

// Classic routes and those of the multiprotocol attributes, each with its next hop.
void assemble(Update classic, ReadAttributes& read, const UpdateContext& context, ParsedUpdate& out) {
  if (read.unreach && read.unreach->family == Family::V4) {
    append(classic.withdrawn, std::move(read.unreach->routes));
  } else if (read.unreach) {
    keep_unless_empty({read.unreach->family, std::move(read.unreach->routes), {}, {}, false}, out);
  }
  if (read.reach) {
    Update u{read.reach->family, {}, std::move(read.reach->routes), {}, false};
    const bool can = !u.announced.empty() && can_be_announced(read, context, false);
    PathAttributes a = classic.announced.empty() ? std::move(read.attributes) : read.attributes;
    a.next_hop = read.reach->next_hop;
    a.link_local_next_hop = read.reach->link_local_next_hop;
    settle(u, can, std::make_shared<const PathAttributes>(std::move(a)), read.findings);
    keep_unless_empty(std::move(u), out);
  }
  const bool can = !classic.announced.empty() && can_be_announced(read, context, true);
  settle(classic, can, can ? std::make_shared<const PathAttributes>(std::move(read.attributes)) : nullptr,
         read.findings);
  keep_unless_empty(std::move(classic), out);
}

}  // namespace

//   | Withdrawn Routes Length (2) | Withdrawn Routes | Total Path Attribute Length (2) | Path Attributes | NLRI |
Result<ParsedUpdate, Notification> parse_update(Bytes body, const UpdateContext& context) {
  Reader r(body);
  Fields f;
  f.withdrawn = r.bytes(r.u16());
  f.attributes = r.bytes(r.u16());
  if (!r.ok()) return update_error(1);
  f.nlri = r.rest();

  Update classic;
  if (!read_classic(f, context, classic)) return update_error(10);
  CGW_TRY(ReadAttributes read, read_attributes(f.attributes, context));
  const bool reachable = !f.nlri.empty() || read.foreign_routes || (read.reach && !read.reach->routes.empty());
  // RFC 7606 5.2: an error that asks for withdrawal, and no route that could be withdrawn: nothing was understood.
  if (read.withdraw && !reachable) return update_error(1);

  ParsedUpdate out;
  out.disabled = read.disabled;
  if (!context.families.v4 || read.disabled.v4) classic = Update{};
  if (const auto family = end_of_rib(body, f, read)) {
    if (context.families[*family]) out.updates.push_back({*family, {}, {}, {}, true});
    return out;
  }
  merge_as4(read);
  std::ranges::sort(read.attributes.unknown, {}, &UnknownAttribute::type);
  assemble(std::move(classic), read, context, out);
  out.findings = std::move(read.findings);
  return out;
}

}  // namespace cgw::bgp
