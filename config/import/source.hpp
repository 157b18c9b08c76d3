#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/model.hpp"

// A file being imported, and where in it things stand; private to this folder.
namespace cgw::config {

// A place. part: of a text within the file's text ("CustomerGatewayConfiguration 41:8"), else empty.
struct Spot {
  unsigned line = 0, column = 0;  // 1.., 0: the file as a whole
  std::string part;
};

// A text, and the lines it has.
class Source {
 public:
  explicit Source(std::string_view text);
  // The value of a string at `outer`, itself a document: places in it tell both.
  static Source inside(std::string_view text, Spot outer, std::string name);

  std::string_view text() const { return text_; }
  Spot spot(std::size_t offset) const;
  bool embedded() const { return !name_.empty(); }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;  // of lines
  Spot outer_;
  std::string name_;
};

// What is wrong with a file.
class Complaints {
 public:
  explicit Complaints(std::string_view file) : file_(file) {}
  void at(const Spot& spot, std::string text);
  void whole(std::string text) { at(Spot{}, std::move(text)); }
  bool none() const { return list_.empty(); }
  Diagnostics take() { return std::move(list_); }

 private:
  std::string file_;
  Diagnostics list_;
};

// Whether it is text that a reader may take: not empty, not too long, UTF-8. A byte order mark is no part of it.
bool readable(const Source& source, Complaints& wrong);

std::string trim(std::string_view s);
std::vector<std::string_view> words(std::string_view s);  // by blanks
std::string lower(std::string_view s);

// The lines of a text, without their ends (CRLF too), and where each begins.
struct Line {
  std::string_view text;
  std::size_t offset = 0;
  bool ended = false;  // the last may have no line end
};
std::vector<Line> lines_of(std::string_view text);

}  // namespace cgw::config
