#pragma once
#include <deque>
#include <optional>

#include "bgp/bitmap.hpp"
#include "bgp/table.hpp"

namespace cgw::bgp {

// The prefixes of a table that somebody has yet to look at, each once however often it changes: who is slow falls
// behind by prefixes, never by messages. Whoever is new is fed the table as it stands, without a list of it.
class ChangeQueue {
 public:
  // The table outlives the queue.
  explicit ChangeQueue(Table& table) : table_(&table) {}
  ~ChangeQueue();
  ChangeQueue(const ChangeQueue&) = delete;
  ChangeQueue& operator=(const ChangeQueue&) = delete;

  void add(PrefixId id);
  // All prefixes there are, and all that come.
  void feed() { fed_ = 0; }
  bool feeding() const { return fed_.has_value(); }
  // The next one, held for the caller, who release()s it in the table. Changes go before the rest of the feed.
  std::optional<PrefixId> pop();
  bool empty() const { return !fed_ && order_.empty(); }
  std::size_t size() const { return order_.size(); }

 private:
  Table* table_;
  Bitmap waiting_;
  std::deque<std::uint32_t> order_;
  std::optional<std::uint32_t> fed_;  // all below have been handed out
};

}  // namespace cgw::bgp
