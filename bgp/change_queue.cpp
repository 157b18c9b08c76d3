#include "bgp/change_queue.hpp"

namespace cgw::bgp {

ChangeQueue::~ChangeQueue() {
  for (const std::uint32_t id : order_)
    table_->release(PrefixId{id});
}

void ChangeQueue::add(PrefixId id) {
  // What the feed has not reached it will meet as it then is.
  if (fed_ && id.value() >= *fed_) return;
  if (!waiting_.set(id.value())) return;
  table_->hold(id);
  order_.push_back(id.value());
}

std::optional<PrefixId> ChangeQueue::pop() {
  if (!order_.empty()) {
    const std::uint32_t id = order_.front();
    order_.pop_front();
    waiting_.clear(id);
    return PrefixId{id};
  }
  if (!fed_) return std::nullopt;
  while (*fed_ < table_->prefixes().limit()) {
    const PrefixId id{(*fed_)++};
    if (!table_->prefixes().in_use(id)) continue;
    table_->hold(id);
    return id;
  }
  fed_.reset();
  return std::nullopt;
}

}  // namespace cgw::bgp
