#include "cli/import_command.hpp"

#include <cstdio>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "cli/exit_status.hpp"
#include "cli/files.hpp"
#include "cli/import_summary.hpp"
#include "config/aws_import.hpp"
#include "config/diff.hpp"

namespace cgw::cli {
namespace {

struct Request {
  std::string file;
  config::ImportOptions options;
  std::optional<std::string> output, secrets;

  // Where the value of a word that is taken as it stands goes.
  std::string* text_of(std::string_view word) {
    if (word == "certificate") return &options.certificate;
    if (word == "private-key") return &options.private_key;
    if (word == "ca-certificate") return &options.ca_certificate;
    return word == "connection" ? &options.connection : nullptr;
  }
  std::string secrets_file() const {
    if (secrets) return *secrets;
    if (output) return (std::filesystem::path(*output).parent_path() / "secrets").string();
    return "/etc/cgwd/secrets";
  }
};

constexpr const char* kForm =
    "% import aws FILE [connection VPN-ID] [local-network A.B.C.D/M]... [vpc-cidr A.B.C.D/M]... [certificate FILE] "
    "[private-key FILE] [ca-certificate FILE] [--output FILE] [--secrets FILE]";

Result<Request, std::string> parse(const std::vector<std::string>& args) {
  Request r;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    std::string* const text = r.text_of(word);
    const bool takes_value = word == "local-network" || word == "vpc-cidr" || word == "--output" || word == "--secrets";
    if (!takes_value && text == nullptr) {
      if (!r.file.empty() || word.starts_with("-"))
        return fail(fmt::format("% Unknown argument '{}'\n{}", word, kForm));
      r.file = word;
      continue;
    }
    if (++i == args.size()) return fail(fmt::format("% Command incomplete: {} needs a value\n{}", word, kForm));
    if (text != nullptr) {
      *text = args[i];
    } else if (word == "--output") {
      r.output = args[i];
    } else if (word == "--secrets") {
      r.secrets = args[i];
    } else {
      const auto p = Prefix::parse(args[i]);
      if (!p) return fail(fmt::format("% {}: {}", word, p.error()));
      if (!p->address.is_v4())
        return fail(fmt::format("% {}: {} is IPv6, which this version does not do", word, args[i]));
      (word == "local-network" ? r.options.local_networks : r.options.vpc_cidrs).push_back(*p);
    }
  }
  if (r.file.empty()) return fail(fmt::format("% Command incomplete: which file?\n{}", kForm));
  return r;
}

// Other names in the file stay; same names are replaced. Read and written under one lock: another import's keys stay.
Result<void, std::string> store(const std::string& path, const config::Secrets& fresh) {
  CGW_TRY([[maybe_unused]] const FolderLock lock, FolderLock::of(path, std::chrono::seconds(10)));
  config::Secrets all;
  std::error_code ec;
  if (std::filesystem::exists(path, ec)) {
    CGW_TRY(const std::string text, read_file(path, 1U << 20));
    auto old = config::parse_secrets(text, path);
    if (!old) return fail(old.error().front().to_string());
    all = std::move(*old);
  }
  for (const auto& [name, value] : fresh)
    all[name] = value;
  return write_file(path, config::render_secrets(all), 0600);
}

int complain(const std::string& text, ExitStatus status) {
  fmt::print(stderr, "{}\n", text);
  return status;
}

std::string joined(const config::Diagnostics& all) {
  std::string out;
  for (const auto& d : all)
    out += (out.empty() ? "" : "\n") + d.to_string();
  return out;
}

// What --output holds already; none: there is no such file.
Result<std::optional<config::Config>, std::string> existing(const std::optional<std::string>& output) {
  std::error_code ec;
  if (!output || !std::filesystem::exists(*output, ec)) return std::optional<config::Config>();
  auto text = read_file(*output, 16U << 20);
  if (!text) return fail("% " + text.error());
  auto parsed = config::parse(*text, *output);
  if (!parsed) {
    return fail(joined(parsed.error()) +
                "\n% the import would change this file: put right what is wrong in it, or name another --output");
  }
  return std::optional(std::move(*parsed));
}

// Keys first: a configuration never names one that is not there.
Result<void, std::string> write_out(const Request& request, const config::Imported& imported,
                                    const std::optional<config::Config>& old) {
  if (!imported.secrets.empty()) {
    if (const auto ok = store(request.secrets_file(), imported.secrets); !ok) return fail("% secrets: " + ok.error());
  }
  const config::Config result = old ? config::merge_import(*old, imported.config) : imported.config;
  const std::string text = "! cgwd, imported from " + std::filesystem::path(request.file).filename().string() + "\n" +
                           config::render(result);
  if (!request.output) {
    fmt::print("{}", text);
    return {};
  }
  const std::string changes = old ? config::difference(*old, result) : "";
  if (old && changes.empty()) {
    fmt::print(stderr, "note: {} says all of this already and was left as it is\n", *request.output);
    return {};
  }
  if (const auto ok = write_file(*request.output, text, 0644); !ok) return fail("% " + ok.error());
  if (old) fmt::print(stderr, "note: changed in {}:\n{}", *request.output, changes);
  if (!old) fmt::print(stderr, "note: configuration written to {}\n", *request.output);
  return {};
}

}  // namespace

int import_aws(const std::vector<std::string>& args) {
  auto request = parse(args);
  if (!request) return complain(request.error(), kCommandError);
  // One octet more than is allowed, so that the importer can say that it is too much.
  const auto text = read_file(request->file, config::kMaxImportOctets + 65536);
  if (!text) return complain("% " + text.error(), kFileError);
  const auto old = existing(request->output);
  if (!old) return complain(old.error(), kFileError);
  request->options.existing = *old ? &**old : nullptr;
  const auto imported = config::import_aws(*text, request->file, request->options);
  if (!imported) return complain(joined(imported.error()), kFileError);
  if (const auto ok = write_out(*request, *imported, *old); !ok) return complain(ok.error(), kFileError);
  fmt::print(stderr, "{}", import_summary(*imported));
  for (const auto& n : imported->notes)
    fmt::print(stderr, "note: {}\n", n);
  for (const auto& w : imported->warnings)
    fmt::print(stderr, "warning: {}\n", w);
  if (!imported->secrets.empty()) {
    fmt::print(stderr,
               "note: {} keys stored in {} (mode 0600); delete {} when you no longer need it, it holds them too\n",
               imported->secrets.size(), request->secrets_file(), request->file);
  }
  return kOk;
}

}  // namespace cgw::cli
