#include "config/diff.hpp"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace cgw::config {
namespace {

// A line and the blocks around it: what tells it from another of the same words.
struct Placed {
  std::vector<std::string> path;  // blocks, outermost first, and the line itself
  bool operator<(const Placed& other) const { return path < other.path; }
  bool operator==(const Placed&) const = default;
};

std::vector<Placed> placed(const Config& c) {
  std::vector<Placed> out;
  std::vector<std::string> around;
  const std::string text = render(c);
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    const auto depth = line.find_first_not_of(' ');
    const auto words = std::string_view(line).substr(depth == std::string::npos ? line.size() : depth);
    if (words.empty() || words == "!" || words == "exit" || words == "exit-address-family") continue;
    around.resize(std::min(depth, around.size()));
    around.push_back(line);
    out.push_back({around});
  }
  return out;
}

class Differ {
 public:
  Differ(const Config& old, const Config& fresh) : old_(placed(old)), fresh_(placed(fresh)) {}

  std::string run() {
    const std::set<Placed> before(old_.begin(), old_.end()), after(fresh_.begin(), fresh_.end());
    std::size_t i = 0, j = 0;
    while (i < old_.size() || j < fresh_.size()) {
      if (i < old_.size() && !after.contains(old_[i])) {
        say('-', old_[i++]);
      } else if (j < fresh_.size() && !before.contains(fresh_[j])) {
        say('+', fresh_[j++]);
      } else {
        i += i < old_.size() ? 1 : 0;
        j += j < fresh_.size() ? 1 : 0;
      }
    }
    return std::move(out_);
  }

 private:
  void say(char sign, const Placed& line) {
    const auto depth = line.path.size() - 1;
    std::size_t same = 0;
    while (same < std::min(depth, shown_.size()) && shown_[same] == line.path[same])
      ++same;
    for (std::size_t n = same; n < depth; ++n)
      out_ += "  " + line.path[n] + "\n";
    out_ += std::string(1, sign) + " " + line.path.back() + "\n";
    shown_ = line.path;
  }

  std::vector<Placed> old_, fresh_;
  std::vector<std::string> shown_;  // what the last line stood in
  std::string out_;
};

}  // namespace

std::string difference(const Config& old, const Config& fresh) {
  return Differ(old, fresh).run();
}

}  // namespace cgw::config
