#include "cli/import_command.hpp"

#include <cstdio>
#include <filesystem>
#include <optional>

#include <fmt/format.h>

#include "cli/exit_status.hpp"
#include "cli/files.hpp"
#include "config/aws_import.hpp"

namespace cgw::cli {
namespace {

struct Request {
  std::string file;
  config::ImportOptions options;
  std::optional<std::string> output, secrets;

  // Where the value of a word that names a file of ours goes.
  std::string* file_of(std::string_view word) {
    if (word == "certificate") return &options.certificate;
    if (word == "private-key") return &options.private_key;
    return word == "ca-certificate" ? &options.ca_certificate : nullptr;
  }
  std::string secrets_file() const {
    if (secrets) return *secrets;
    if (output) return (std::filesystem::path(*output).parent_path() / "secrets").string();
    return "/etc/cgwd/secrets";
  }
};

constexpr const char* kForm =
    "% import aws FILE [local-network A.B.C.D/M]... [vpc-cidr A.B.C.D/M]... [certificate FILE] [private-key FILE] "
    "[ca-certificate FILE] [--output FILE] [--secrets FILE]";

Result<Request, std::string> parse(const std::vector<std::string>& args) {
  Request r;
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string& word = args[i];
    std::string* const file = r.file_of(word);
    const bool takes_value = word == "local-network" || word == "vpc-cidr" || word == "--output" || word == "--secrets";
    if (!takes_value && file == nullptr) {
      if (!r.file.empty() || word.starts_with("-"))
        return fail(fmt::format("% Unknown argument '{}'\n{}", word, kForm));
      r.file = word;
      continue;
    }
    if (++i == args.size()) return fail(fmt::format("% Command incomplete: {} needs a value\n{}", word, kForm));
    if (file != nullptr) {
      *file = args[i];
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

}  // namespace

int import_aws(const std::vector<std::string>& args) {
  const auto request = parse(args);
  if (!request) return complain(request.error(), kCommandError);
  // One octet more than is allowed, so that the importer can say that it is too much.
  const auto text = read_file(request->file, config::kMaxImportOctets + 65536);
  if (!text) return complain("% " + text.error(), kFileError);
  const auto imported = config::import_aws_xml(*text, request->file, request->options);
  if (!imported) {
    for (const auto& d : imported.error())
      fmt::print(stderr, "{}\n", d.to_string());
    return kFileError;
  }
  const std::string secrets_file = request->secrets_file();
  const bool has_keys = !imported->secrets.empty();
  if (const auto ok = has_keys ? store(secrets_file, imported->secrets) : Result<void, std::string>(); !ok)
    return complain("% secrets: " + ok.error(), kFileError);
  const std::string text_out = "! cgwd, imported from " + std::filesystem::path(request->file).filename().string() +
                               "\n" + config::render(imported->config);
  if (request->output) {
    if (const auto ok = write_file(*request->output, text_out, 0644); !ok)
      return complain("% " + ok.error(), kFileError);
  } else {
    fmt::print("{}", text_out);
  }
  for (const auto& n : imported->notes)
    fmt::print(stderr, "note: {}\n", n);
  for (const auto& w : imported->warnings)
    fmt::print(stderr, "warning: {}\n", w);
  if (has_keys)
    fmt::print(stderr,
               "note: {} keys stored in {} (mode 0600); delete {} when you no longer need it, it holds them too\n",
               imported->secrets.size(), secrets_file, request->file);
  if (request->output) fmt::print(stderr, "note: configuration written to {}\n", *request->output);
  return kOk;
}

}  // namespace cgw::cli
