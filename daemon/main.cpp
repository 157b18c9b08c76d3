#include <sys/prctl.h>
#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <exception>
#include <memory>

#include <fmt/format.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "config/commands.hpp"
#include "daemon/control_server.hpp"
#include "daemon/gateway.hpp"
#include "daemon/load.hpp"
#include "daemon/log.hpp"
#include "daemon/options.hpp"
#include "daemon/policy_test.hpp"
#include "daemon/state_tree.hpp"
#include "daemon/version.hpp"
#include "kernel/fib.hpp"

namespace {

using namespace cgw;

enum Exit { kOk = 0, kFailed = 1, kBadConfiguration = 2 };

void complain(std::string_view text) {
  fmt::print(stderr, "cgwd: {}\n", text);
}

// Keys live in this process: no core dump, no reading of its memory by others.
void keep_secrets() {
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
}

Result<boost::json::value, std::string> rekey(Gateway& gateway, std::string_view request) {
  const auto m = config::match(config::Mode::Exec, request);
  if (!m) return fail(m.error().text);
  const auto& what = m->args[2];
  const auto renew = what == "ike"   ? ipsec::Renew::What::IkeSa
                     : what == "esp" ? ipsec::Renew::What::ChildSa
                                     : ipsec::Renew::What::Authentication;
  if (auto done = gateway.rekey(m->args[0], static_cast<unsigned>(std::stoul(m->args[1])), renew); !done)
    return fail(std::move(done).error());
  return boost::json::object{{"text", ""}};
}

// What changes something; everything else shows.
Result<boost::json::value, std::string> obey(Gateway& gateway, std::string_view request) {
  if (request.starts_with("rekey ")) return rekey(gateway, request);
  if (request.starts_with("test policy ")) return test_policy(gateway.policy(), request);
  const bool on = request == "debug ike";
  if (!on && request != "no debug ike") return show(gateway, request);
  gateway.debug_ike(on);
  return boost::json::object{{"text", on ? "Every IKE message goes to cgwd's log; no debug ike ends it" : ""}};
}

std::string answer(Gateway& gateway, std::string_view request) {
  auto data = obey(gateway, request);
  boost::json::object reply;
  if (data) {
    reply = {{"code", 0}, {"data", std::move(*data)}};
  } else {
    reply = {{"code", 1}, {"error", data.error()}};
  }
  return boost::json::serialize(reply);
}

Exit run(const Options& options, Loaded loaded) {
  keep_secrets();
  std::signal(SIGPIPE, SIG_IGN);
  Log log(options.log_level);
  KeyLog key_log;
  if (!options.ike_keys_file.empty()) {
    auto opened = KeyLog::open(options.ike_keys_file);
    if (!opened) {
      log.write(Level::Error, "cgwd", opened.error());
      return kFailed;
    }
    key_log = std::move(*opened);
  }
  boost::asio::io_context io(1);
  for (const auto& w : loaded.warnings)
    log.write(Level::Warning, "cgwd", w.to_string());

  std::unique_ptr<Gateway> gateway;
  ControlServer control(io.get_executor(), [&](std::string_view request) { return answer(*gateway, request); });
  if (const auto ok = control.listen(options.run_dir); !ok) {
    log.write(Level::Error, "cgwd", ok.error());
    return kFailed;
  }
  auto opened = Gateway::open(io.get_executor(), log, std::move(loaded));
  if (!opened) {
    log.write(Level::Error, "cgwd", opened.error());
    control.stop();
    return kFailed;
  }
  gateway = std::move(*opened);

  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  signals.async_wait([&](const boost::system::error_code& ec, int signal) {
    if (ec) return;
    log.write(Level::Info, "cgwd",
              fmt::format("{}: stopping; routes and interfaces stay for the next start (cgwd --purge removes them)",
                          signal == SIGTERM ? "SIGTERM" : "SIGINT"));
    control.stop();
    gateway->stop();
    io.stop();
  });
  log.write(Level::Info, "cgwd", fmt::format("cgwd {} starts with {}", kVersion, options.config_file));
  gateway->set_key_log(std::move(key_log));
  if (options.debug_ike) gateway->debug_ike(true);
  gateway->start();
  io.run();
  return kOk;
}

Exit load_and(const Options& options) {
  auto loaded = load(options.config_file);
  if (!loaded) {
    for (const auto& d : loaded.error())
      fmt::print(stderr, "{}\n", d.to_string());
    return kBadConfiguration;
  }
  if (options.job == Options::Job::Run) return run(options, std::move(*loaded));
  for (const auto& w : loaded->warnings)
    fmt::print(stderr, "{}\n", w.to_string());
  fmt::print("{}: no errors\n", options.config_file);
  return kOk;
}

Exit purge() {
  const auto p = kernel::purge();
  if (!p) {
    complain(p.error().to_string());
    return kFailed;
  }
  fmt::print("removed: {} routes, {} nexthops, {} interfaces, {} SAs, {} policies, {} nft tables\n", p->routes,
             p->nexthops, p->interfaces, p->states, p->policies, p->tables);
  return kOk;
}

}  // namespace

int main(int argc, char** argv) try {
  const auto options = parse_options(argc, argv);
  if (!options) {
    complain(options.error());
    fmt::print(stderr, "{}", kUsage);
    return kFailed;
  }
  switch (options->job) {
    case Options::Job::Version: fmt::print("cgwd {}\n", kVersion); return kOk;
    case Options::Job::Help: fmt::print("{}", kUsage); return kOk;
    case Options::Job::Purge: return purge();
    case Options::Job::Check:
    case Options::Job::Run: return load_and(*options);
  }
  return kFailed;
} catch (const std::exception& e) {
  complain(e.what());
  return kFailed;
}
