#include "cli/shell.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <boost/json/object.hpp>

#include "cli/client.hpp"
#include "cli/exit_status.hpp"
#include "cli/import_command.hpp"
#include "cli/render.hpp"
#include "cli/tree.hpp"
#include "config/commands.hpp"

namespace cgw::cli {
namespace {

// A neighbor's own routes are a table.
std::string render_bgp_neighbor(const boost::json::value& tree) {
  const bool table = tree.is_object() && tree.as_object().contains("routes");
  return table ? render_bgp_table(tree) : render_bgp_neighbor_routes(tree);
}

struct Renderer {
  std::string_view request;
  std::string (*text)(const boost::json::value&);
  bool takes_arguments = false;  // which follow in the request
};
constexpr Renderer kRenderers[] = {
    {"show vpn", render_vpn},
    {"show bgp summary", render_bgp_summary},
    {"show bgp table", render_bgp_table, true},
    {"show bgp prefix", render_bgp_prefix, true},
    {"show bgp neighbor", render_bgp_neighbor, true},
    {"show ip route", render_ip_route},
    {"show running-config", render_running_config},
    {"show version", render_version},
};

}  // namespace

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> out;
  constexpr std::string_view kBlank = " \t\r\n";
  for (auto at = line.find_first_not_of(kBlank); at != std::string_view::npos;
       at = line.find_first_not_of(kBlank, at)) {
    const auto end = std::min(line.find_first_of(kBlank, at), line.size());
    out.emplace_back(line.substr(at, end - at));
    at = end;
  }
  return out;
}

int Shell::run(std::string_view line) {
  const auto words = words_of(line);
  if (words.empty() || words.front().starts_with('!')) return kOk;
  const auto m = config::match(config::Mode::Exec, line);
  if (!m) return refuse(line, m.error());
  const std::string request(m->command->request);
  if (request == "exit") {
    ended_ = true;
    return kOk;
  }
  if (request == "import aws") return import_aws(m->args);
  if (request == "list") {
    list();
    return kOk;
  }
  if (request == "rekey vpn")
    return order(fmt::format("rekey vpn {} tunnel {} {}", m->args[0], m->args[1], m->args[2]));
  if (request == "test policy") return order(fmt::format("test policy route-map {}", fmt::join(m->args, " ")));
  if (request == "debug ike") return order(m->negated ? "no " + request : request);
  if (!request.starts_with("show")) return kOk;  // enable, disable, terminal length: nothing to do
  auto args = m->args;
  const bool json = !args.empty() && args.back() == "json";
  if (json) args.pop_back();
  return show(request, args, json);
}

// Something that the daemon is to do.
int Shell::order(const std::string& request) const {
  const auto tree = ask(run_dir_, request);
  if (!tree) return complain(tree.error().text, tree.error().status);
  if (const auto said = text(*tree, "text"); !said.empty()) fmt::print("{}\n", said);
  return kOk;
}

int Shell::show(const std::string& request, const std::vector<std::string>& args, bool json) {
  const auto* renderer = std::ranges::find(kRenderers, request, &Renderer::request);
  const bool found = renderer != std::end(kRenderers);
  const bool more = found && renderer->takes_arguments;
  auto tree = ask(run_dir_, more ? fmt::format("{} {}", request, fmt::join(args, " ")) : request);
  if (!tree) return complain(tree.error().text, tree.error().status);
  if (json) {
    if (request == "show running-config" && tree->is_object())
      tree->as_object()["config"] = config_tree(text(*tree, "text"));
    fmt::print("{}", pretty(*tree));
    return kOk;
  }
  if (found) fmt::print("{}", renderer->text(*tree));
  return kOk;
}

// Interactively as IOS does: a caret under the word, which is on the line above. Tools look for "Invalid input".
int Shell::refuse(std::string_view line, const config::NoMatch& why) {
  const bool unknown = why.text.starts_with("% Unknown"), incomplete = why.text.starts_with("% Command incomplete");
  if (manner_ == Manner::Interactive && !incomplete) {
    winsize size{};
    const bool known = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    const std::size_t indent = hostname().size() + 2;
    // Not on a line that has been wrapped: it would stand under something else.
    if (!known || indent + line.size() < size.ws_col) fmt::print("{}^\n", std::string(indent + why.column, ' '));
  }
  const int status = complain(why.text, kCommandError);
  if (manner_ == Manner::Interactive && unknown) fmt::print("% Invalid input detected at '^' marker.\n");
  return status;
}

int Shell::complain(std::string_view text, int status) const {
  fmt::print(manner_ == Manner::Interactive ? stdout : stderr, "{}\n", text);
  return status;
}

void Shell::list() const {
  for (const auto& c : config::commands()) {
    if (c.mode == config::Mode::Exec) fmt::print("  {}\n", c.pattern);
  }
}

const std::string& Shell::hostname() {
  if (!hostname_) {
    const auto tree = ask(run_dir_, "show version", std::chrono::seconds(1));
    hostname_ = tree ? text(*tree, "hostname") : std::string();
    if (hostname_->empty()) hostname_ = "cgw";
  }
  return *hostname_;
}

}  // namespace cgw::cli
