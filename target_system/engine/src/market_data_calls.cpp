#include "market_data_calls.hpp"

#include "engine/clock.hpp"
#include "engine/log.hpp"

namespace lab::engine {
namespace {

// How long the message under way may still take, once its reader is cut off.
constexpr u64 kCutGraceNs = 5'000'000'000ULL;

const grpc::Status kStopping{grpc::StatusCode::UNAVAILABLE, "the engine stops"};

}  // namespace

void SubscribeCall::wait_for_client() {
  service.async_market_data().RequestSubscribe(&context, &request_, &writer_, &service.queue(), &service.queue(),
                                               arm_accept());
}

void SubscribeCall::begin() {
  if (!parse()) {
    const std::string most = std::to_string(service.symbols().size());
    writer_.Finish({grpc::StatusCode::INVALID_ARGUMENT, "symbols must be below " + most}, arm(finished_));
  } else if (!service.feed().subscribe(std::static_pointer_cast<SubscribeCall>(shared_from_this()))) {
    writer_.Finish(kStopping, arm(finished_));
  }
}

bool SubscribeCall::parse() {
  market::SubscribeRequest wanted;
  if (!grpc::SerializationTraits<market::SubscribeRequest>::Deserialize(&request_, &wanted).ok()) return false;
  wanted_.assign(service.symbols().size(), wanted.symbols_size() == 0);
  for (const u32 symbol : wanted.symbols()) {
    if (symbol >= wanted_.size()) return false;
    wanted_[symbol] = true;
  }
  return true;
}

bool SubscribeCall::give(const Round& round) {
  if (cancelled()) return false;
  {
    const std::lock_guard lock(mutex_);
    if (verdict_) {  // cut off before, and its last message is still being written
      if (finished_already_) return false;
      if (now_ns() - cut_at_ns_ < kCutGraceNs) return true;
      context.TryCancel();
      return false;
    }
    const bool was_empty = waiting_.empty();  // then it keeps up, however much this is
    waiting_.push_back(round.head);
    waiting_bytes_ += round.head.size();
    for (const Part& part : round.parts) {
      if (!wanted_[part.symbol.value]) continue;
      waiting_.push_back(part.bytes);
      waiting_bytes_ += part.bytes.size();
    }
    if (!was_empty && waiting_bytes_ > service.subscriber_bytes()) cut_off();
  }
  act();
  return true;
}

void SubscribeCall::cut_off() {
  cut_at_ns_ = now_ns();
  ++service.metrics().counts.feed_cut_off;
  log(Level::kWarning, "subscriber_cut_off", {{"peer", context.peer()}, {"waiting_bytes", waiting_bytes_}});
  verdict_ = grpc::Status{grpc::StatusCode::RESOURCE_EXHAUSTED,
                          "too slow: " + std::to_string(waiting_bytes_) + " bytes waited, more than " +
                              std::to_string(service.subscriber_bytes()) + "; subscribe again"};
  waiting_.clear();
}

void SubscribeCall::end(const grpc::Status& why) {
  {
    const std::lock_guard lock(mutex_);
    if (!verdict_) verdict_ = why;
    waiting_.clear();
  }
  act();
}

void SubscribeCall::was_written(bool ok) {
  {
    const std::lock_guard lock(mutex_);
    writing_ = false;
    if (!ok && !verdict_) verdict_ = grpc::Status::CANCELLED;
    if (!ok) waiting_.clear();
  }
  act();
}

SubscribeCall::Next SubscribeCall::decide() {
  Next next;
  if (writing_ || finished_already_) return next;
  if (!waiting_.empty()) {
    gather();
    writing_ = next.write = true;
  } else if (verdict_) {
    finished_already_ = true;
    next.finish = verdict_;
  }
  return next;
}

// An Events message is made of repeated fields and a head whose last value counts, so several behind each other are one.
void SubscribeCall::gather() {
  std::size_t taken = 0;
  std::size_t size = 0;
  while (taken < waiting_.size() && size < kWriteBytesMax) size += waiting_[taken++].size();
  write_ = grpc::ByteBuffer(waiting_.data(), taken);
  waiting_.erase(waiting_.begin(), waiting_.begin() + static_cast<std::ptrdiff_t>(taken));
  waiting_bytes_ -= size;
}

// Decides under the lock and acts outside it: whoever has decided is the only one until what he does is done.
void SubscribeCall::act() {
  Next next;
  {
    const std::lock_guard lock(mutex_);
    next = decide();
  }
  if (next.write) writer_.Write(write_, arm(written_));
  if (next.finish) writer_.Finish(*next.finish, arm(finished_));
}

}  // namespace lab::engine
