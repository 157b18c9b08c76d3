#include "kernel/mss_clamp.hpp"

#include <fcntl.h>
#include <net/if.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nftables/libnftables.h>

#include "base/note.hpp"
#include "kernel/mss_table.hpp"

namespace cgw::kernel {
namespace {

struct FreeContext {
  void operator()(nft_ctx* c) const { nft_ctx_free(c); }
};

constexpr std::string_view kReplace = "table inet cgwd\ndelete table inet cgwd\n";

// libnftables waits for its socket with select(), which ends the process when the descriptor is FD_SETSIZE or more:
// with a thousand tunnels every low one is taken. One from the process's start is kept, and lent to the socket.
class LowDescriptor {
 public:
  LowDescriptor() { take(); }
  LowDescriptor(const LowDescriptor&) = delete;
  LowDescriptor& operator=(const LowDescriptor&) = delete;
  ~LowDescriptor() { lend(); }
  void take() { fd_ = open("/dev/null", O_RDONLY | O_CLOEXEC); }
  void lend() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_ = -1;
};
LowDescriptor low_descriptor;

struct Lent {
  Lent() { low_descriptor.lend(); }
  ~Lent() { low_descriptor.take(); }
};

KernelResult<void> run(const std::string& commands, const std::string& what) {
  const Lent lent;
  const std::unique_ptr<nft_ctx, FreeContext> context(nft_ctx_new(NFT_CTX_DEFAULT));
  if (!context) return fail(KernelError{ENOMEM, what, {}});
  nft_ctx_buffer_output(context.get());
  nft_ctx_buffer_error(context.get());
  errno = 0;
  if (nft_run_cmd_from_buffer(context.get(), commands.c_str()) == 0) return {};
  const int e = errno != 0 ? errno : EINVAL;
  const char* text = nft_ctx_get_error_buffer(context.get());
  return fail(KernelError{e, what, printable(text != nullptr ? text : "", 400)});
}

// Names stand in quotes, where nft knows no escapes and takes a last '*' for a wildcard.
bool can_be_quoted(const std::string& name) {
  return !name.empty() && name.size() < IFNAMSIZ &&
         std::ranges::all_of(name, [](char c) { return c > ' ' && c < 0x7f && c != '"' && c != '*' && c != '\\'; });
}

// Interfaces with one MSS. A packet is compared with a set, not with a rule for each interface: there may be a
// thousand, every packet of the host meets the rules, and libnftables takes 5 KiB for each.
using Groups = std::map<std::pair<std::uint32_t, std::uint32_t>, std::vector<std::string>>;

Groups groups_of(const ClampedLinks& links) {
  Groups out;
  for (const auto& [name, mss] : links)
    out[{mss.mss_v4, mss.mss_v6}].push_back(name);
  return out;
}

std::string set_name(std::uint32_t v4, std::uint32_t v6) {
  return fmt::format("links_{}_{}", v4, v6);
}

std::string sets(const Groups& groups) {
  std::string out;
  for (const auto& [mss, names] : groups)
    out += fmt::format("  set {} {{\n    type ifname\n    elements = {{ \"{}\" }}\n  }}\n",
                       set_name(mss.first, mss.second), fmt::join(names, "\", \""));
  return out;
}

// The kernel only ever lowers an MSS with `set`, so that a smaller one of the sender's stays.
std::string rules(std::string_view direction, const Groups& groups) {
  std::string out;
  for (const auto& [mss, names] : groups) {
    const auto add = [&, set = set_name(mss.first, mss.second)](std::string_view family, std::uint32_t size) {
      if (size == 0) return;
      out += fmt::format("    meta nfproto {} tcp flags & (syn | rst) == syn {} @{} tcp option maxseg size set {}\n",
                         family, direction, set, size);
    };
    add("ipv4", mss.first);
    add("ipv6", mss.second);
  }
  return out;
}

std::string chain(std::string_view hook, const std::string& content) {
  return fmt::format("  chain {0} {{\n    type filter hook {0} priority mangle; policy accept;\n{1}  }}\n", hook,
                     content);
}

}  // namespace

KernelResult<std::string> mss_ruleset(const ClampedLinks& links) {
  for (const auto& [name, mss] : links) {
    if (!can_be_quoted(name)) return fail(KernelError{EINVAL, "MSS clamp on " + printable(name), "not a usable name"});
    if (mss.mss_v4 > 65535 || mss.mss_v6 > 65535) return fail(KernelError{ERANGE, "MSS clamp on " + name, {}});
  }
  const Groups groups = groups_of(links);
  const std::string in = rules("iifname", groups), out = rules("oifname", groups);
  return fmt::format("{}table inet cgwd {{\n{}{}{}{}}}\n", kReplace, sets(groups), chain("forward", in + out),
                     chain("input", in), chain("output", out));
}

std::string mss_moves(const ClampedLinks& before, const ClampedLinks& links) {
  const auto same_set = [](const auto& a, const auto& b) { return a.first == b.first; };
  if (!std::ranges::equal(groups_of(before), groups_of(links), same_set)) return {};
  std::string out;
  const auto add = [&out](std::string_view verb, const std::string& name, const ClampedLink& mss) {
    out += fmt::format("{} element inet cgwd {} {{ \"{}\" }}\n", verb, set_name(mss.mss_v4, mss.mss_v6), name);
  };
  const auto differs = [](const ClampedLinks& in, const auto& link) {
    const auto found = in.find(link.first);
    return found == in.end() || found->second != link.second;
  };
  for (const auto& link : before)
    if (differs(links, link)) add("delete", link.first, link.second);
  for (const auto& link : links)
    if (differs(before, link)) add("add", link.first, link.second);
  return out;
}

KernelResult<bool> remove_mss_table() {
  if (auto listed = run("list table inet cgwd", "nft list table inet cgwd"); !listed) {
    const int e = listed.error().errnum;
    if (e == EPERM || e == EACCES) return fail(std::move(listed).error());
    return false;  // none, or a kernel without nf_tables
  }
  if (auto removed = run("delete table inet cgwd", "nft delete table inet cgwd"); !removed)
    return fail(std::move(removed).error());
  return true;
}

KernelResult<void> set_mss_clamp(const ClampedLinks& links, const ClampedLinks& before) {
  if (links.empty()) {
    if (auto removed = remove_mss_table(); !removed) return fail(std::move(removed).error());
    return {};
  }
  CGW_TRY(const std::string commands, mss_ruleset(links));
  // If that fails the table is not as we left it.
  const std::string moves = mss_moves(before, links);
  if (!moves.empty() && run(moves, "nft set of table inet cgwd")) return {};
  auto done = run(commands, "nft table inet cgwd");
  if (!done) done.error().detail += "; the kernel needs CONFIG_NF_TABLES_INET and CONFIG_NFT_EXTHDR";
  return done;
}

}  // namespace cgw::kernel
