// What a receiving thread does with the batch that it read: decrypts it, and delivers it when it is its turn.
#include "kernel/ecn.hpp"
#include "kernel/userspace_receiver.hpp"

namespace cgw::kernel::userspace {

// By messages, so that a train is delivered while the processor's cache has it, if no other thread is before us.
void Receiver::work(Lane& lane) {
  const auto& jobs = lane.jobs;
  std::size_t delivered = 0;
  for (std::size_t i = 0; i < jobs.size(); ++i) {
    open(lane, lane.jobs[i]);
    const bool last = i + 1 == jobs.size();
    if (!last && jobs[i].message == jobs[i + 1].message) continue;
    if (!turns_.is(lane.ticket)) {
      if (!last) continue;
      turns_.wait(lane.ticket);
    }
    while (delivered <= i)
      deliver(lane, jobs[delivered++]);
  }
  finish();
  turns_.pass(lane.ticket);
}

void Receiver::open(Lane& lane, Job& job) {
  const Use& use = lane.uses[job.use];
  Inbound& sa = *use.sa;
  if (lane.now >= sa.expires) {
    job.drop = Drop::Expired;
    return;
  }
  const auto opened = sa.openers[lane.number].open(job.packet, sa.window);
  if (!opened) {
    job.drop = reason(opened.error());
    return;
  }
  job.authentic = true;
  job.sequence = opened->sequence;
  if (!opened->inner) {
    job.drop = reason(opened->inner.error());
    return;
  }
  job.packet = *opened->inner;
  if (!sa.inner.allows(job.packet)) {
    job.drop = Drop::OutsideSelectors;
  } else if (!take_congestion(job.packet, lane.messages[job.message].traffic_class)) {
    job.drop = Drop::Congestion;
  } else if (!use.tun) {
    job.drop = Drop::InterfaceDown;
  } else {
    job.shape = Coalescer::look(job.packet, use.tun->offloads());
  }
}

void Receiver::deliver(Lane& lane, const Job& job) {
  const Use& use = lane.uses[job.use];
  Inbound& sa = *use.sa;
  if (job.authentic) {
    if (!sa.window.would_accept(job.sequence)) return use.counters->drop(Drop::Replayed);
    sa.window.mark(job.sequence);
    if (sa.wears()) news_.ring();
    const Endpoint& from = lane.messages[job.message].from;
    if (from != sa.remote) {
      sa.remote = from;
      news_.moved(sa.id, ipsec::Spi{use.spi}, from);
    }
  }
  if (job.drop) return use.counters->drop(*job.drop);
  hand_over(use, job);
}

void Receiver::hand_over(const Use& use, const Job& job) {
  if (coalescing_ != &use) {
    finish();
    coalescing_ = &use;
  }
  if (coalescer_.add(job.packet, job.shape)) return;
  finish();
  coalescing_ = &use;
  coalescer_.add(job.packet, job.shape);
}

void Receiver::finish() {
  if (coalescing_ == nullptr) return;
  const Coalesced c = coalescer_.finish();
  Counters& counters = *coalescing_->counters;
  if (coalescing_->tun->write(c.header, c.parts)) {
    Counters::add(counters.packets_in, c.packets);
    Counters::add(counters.octets_in, c.octets);
  } else {
    counters.drop(Drop::InterfaceDown, c.packets);
  }
  coalescing_ = nullptr;
}

}  // namespace cgw::kernel::userspace
