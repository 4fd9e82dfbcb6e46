#include "engine/feed.hpp"

#include <pthread.h>

#include "engine/clock.hpp"
#include "engine/journal.hpp"

namespace lab::engine {
namespace {

using Clock = std::chrono::steady_clock;

// Records that may wait to be followed. More is a feed that does not keep up.
constexpr std::size_t kBacklogBytesMax = std::size_t{64} << 20;
constexpr std::size_t kSpareBuffersMax = 8;
constexpr std::size_t kSpareBytesMax = std::size_t{1} << 20;
// Changes within this time go in one message: a message costs its readers more than what is in it.
constexpr std::chrono::milliseconds kGather{5};
constexpr std::chrono::milliseconds kHeartbeat{500};

const grpc::Status kOverrun{grpc::StatusCode::ABORTED, "the feed fell behind the books; subscribe again"};

grpc::Slice slice_of(const market::Events& events) { return grpc::Slice(events.SerializeAsString()); }

void write_levels(const std::vector<LevelTotal>& levels, market::Update& update) {
  for (const LevelTotal& level : levels) {
    market::Level& out = level.side == Side::kBuy ? *update.add_bids() : *update.add_asks();
    out.set_price_ticks(level.price.value);
    out.set_quantity_lots(level.quantity.value);
  }
}

void write_change(const Change& change, market::Update& update) {
  update.set_symbol(change.symbol.value);
  update.set_sequence(change.sequence.value);
  update.set_previous_sequence(change.previous.value);
  update.set_received_ns(change.received_ns);
  update.set_halted(change.halted);
  write_levels(change.levels, update);
  for (const Print& print : change.prints) {
    market::Trade& trade = *update.add_trades();
    trade.set_trade_id(print.trade_id);
    trade.set_price_ticks(print.price.value);
    trade.set_quantity_lots(print.quantity.value);
    trade.set_taker_sells(change.taker == Side::kSell);
  }
}

}  // namespace

void Feed::Seed::copy(const State& state) {
  const auto& market = state.matcher.market();
  market.each_resting([this](const RestingOrder& order) { orders[count++] = order; });
  for (u32 symbol = 0; symbol < halted.size(); ++symbol) {
    halted[symbol] = market.halted(Symbol(symbol));
    last_prices[symbol] = market.last_trade_price(Symbol(symbol));
  }
  sequence = state.last;
}

// The sync thread is here, between two groups: an exchange of buffers, whatever else happens.
void Feed::Inbox::take(Buffer& given) {
  const std::lock_guard lock(mutex);
  if (!listening || overrun) return;
  if (bytes + given.size() > kBacklogBytesMax) {
    overrun = true;
  } else {
    bytes += given.size();
    Buffer empty;
    if (!spare.empty()) {
      empty = std::move(spare.back());
      spare.pop_back();
    }
    std::swap(given, empty);
    records.push_back(std::move(empty));
    metrics.counts.feed_backlog_bytes = bytes;
  }
  filled.notify_one();
}

void Feed::Inbox::seeded(std::unique_ptr<Seed> copied) {
  const std::lock_guard lock(mutex);
  if (copied->generation != generation) return;
  seed = std::move(copied);
  filled.notify_one();
}

Feed::Feed(Pipeline& pipeline, const Limits& limits, Metrics& metrics)
    : pipeline_(pipeline),
      limits_(limits),
      metrics_(metrics),
      inbox_(std::make_shared<Inbox>(metrics)),
      image_(limits.symbols),
      changed_(limits.symbols) {
  metrics.counts.feed_backlog_capacity_bytes = kBacklogBytesMax;
  pipeline_.set_sink(inbox_);
  thread_ = std::thread([this] { run(); });
  ::pthread_setname_np(thread_.native_handle(), "engine-feed");
}

Feed::~Feed() {
  close(grpc::Status::CANCELLED);
  pipeline_.set_sink(nullptr);
}

bool Feed::subscribe(std::shared_ptr<Subscriber> subscriber) {
  const std::lock_guard lock(inbox_->mutex);
  if (inbox_->closing) return false;
  inbox_->newcomers.push_back(std::move(subscriber));
  inbox_->filled.notify_one();
  return true;
}

void Feed::close(const grpc::Status& why) {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->closing = true;
    closed_with_ = why;
  }
  inbox_->filled.notify_one();
  thread_.join();
}

double Feed::cpu_s() const { return cpu_seconds(const_cast<Feed&>(*this).thread_.native_handle()); }

void Feed::run() {
  while (true) {
    Work work = wait();
    if (work.closing) break;
    waiting_.insert(waiting_.end(), work.newcomers.begin(), work.newcomers.end());
    if (work.overrun) {
      end_all(kOverrun);
      rest();
      continue;
    }
    if (work.seed) start_image(*work.seed);
    for (const Buffer& records : work.records) follow(records);
    tell_all();
    welcome();
    metrics_.counts.feed_subscribers.set(told_.size() + waiting_.size());
    if (told_.empty() && waiting_.empty()) {
      rest();
    } else {
      listen();
    }
    const std::lock_guard lock(inbox_->mutex);
    for (Buffer& used : work.records) {
      used.clear();
      if (inbox_->spare.size() < kSpareBuffersMax && used.capacity() <= kSpareBytesMax) {
        inbox_->spare.push_back(std::move(used));
      }
    }
  }
  end_all(closed_with_);
}

// Until something has come, but not sooner than a gathering after the last round; or until a heartbeat is due.
Feed::Work Feed::wait() {
  // Asleep, not waiting: the sync thread then need not wake it for each group.
  if (listening_) std::this_thread::sleep_until(told_at_ + kGather);
  Inbox& inbox = *inbox_;
  std::unique_lock lock(inbox.mutex);
  const auto has_come = [&inbox, this] {
    const bool records = !inbox.records.empty() && (seeded_ || inbox.seed);  // those before the seed can wait for it
    return records || inbox.overrun || inbox.seed || !inbox.newcomers.empty() || inbox.closing;
  };
  if (listening_) {
    inbox.filled.wait_until(lock, told_at_ + kHeartbeat, has_come);
  } else {
    inbox.filled.wait(lock, has_come);
  }
  Work work;
  work.overrun = inbox.overrun;
  work.closing = inbox.closing;
  work.newcomers.swap(inbox.newcomers);
  if (seeded_ || inbox.seed) {
    work.seed = std::move(inbox.seed);
    work.records.swap(inbox.records);
    inbox.bytes = 0;
    metrics_.counts.feed_backlog_bytes = 0;
  }
  return work;
}

// Takes records from now on, and asks the books for what rests: in this order, so that nothing falls between.
void Feed::listen() {
  if (!listening_) {
    const std::lock_guard lock(inbox_->mutex);
    inbox_->listening = listening_ = true;
  }
  if (asked_) return;
  // std::function wants what can be copied.
  const auto seed = std::make_shared<std::unique_ptr<Seed>>(std::make_unique<Seed>(limits_, inbox_->generation));
  asked_ = pipeline_.ask([inbox = inbox_, seed](const State& state) {
    (*seed)->copy(state);
    inbox->seeded(std::move(*seed));
  });
}

// Nobody is told any more: nothing is followed, and a seed still on its way is of no use.
void Feed::rest() {
  std::unique_lock lock(inbox_->mutex);
  inbox_->listening = inbox_->overrun = listening_ = asked_ = seeded_ = false;
  ++inbox_->generation;
  inbox_->seed.reset();
  inbox_->records.clear();
  inbox_->spare.clear();
  inbox_->bytes = 0;
  metrics_.counts.feed_backlog_bytes = 0;
  lock.unlock();
  metrics_.counts.feed_subscribers.set(0);
  image_.begin(Sequence(0));
}

void Feed::start_image(const Seed& seed) {
  image_.begin(seed.sequence);
  for (std::size_t i = 0; i < seed.count; ++i) image_.add(seed.orders[i]);
  for (u32 symbol = 0; symbol < limits_.symbols; ++symbol) {
    image_.set_symbol(Symbol(symbol), seed.halted[symbol], seed.last_prices[symbol]);
  }
  seeded_ = true;
}

void Feed::follow(const Buffer& records) {
  const u8* at = records.data();
  const u8* const end = at + records.size();
  while (at != end) {
    u32 size = 0;
    std::memcpy(&size, at, sizeof size);
    at += kRecordHeadBytes;
    result_ = StoredResult{};
    decode_stored({at, size}, result_);
    at += size;
    if (result_.sequence <= image_.sequence()) continue;  // the seed has seen it
    for (const Change& change : image_.follow(result_)) {
      write_change(change, *changed_[change.symbol.value].add_updates());
      metrics_.counts.feed_updates.add(1);
    }
  }
}

void Feed::tell_all() {
  told_at_ = Clock::now();
  Round round{head(), {}};
  for (u32 symbol = 0; symbol < limits_.symbols; ++symbol) {
    if (changed_[symbol].updates_size() == 0) continue;
    round.parts.push_back({Symbol(symbol), slice_of(changed_[symbol])});
    changed_[symbol].Clear();
  }
  std::erase_if(told_, [&round](const auto& subscriber) { return !subscriber->give(round); });
}

// What the books held may not have been on disk yet when they were asked.
void Feed::welcome() {
  if (waiting_.empty() || !seeded_ || pipeline_.synced() < image_.sequence()) return;
  Round round{head(), {}};
  for (u32 symbol = 0; symbol < limits_.symbols; ++symbol) round.parts.push_back(snapshot_of(Symbol(symbol)));
  for (auto& subscriber : waiting_) {
    if (subscriber->give(round)) told_.push_back(std::move(subscriber));
  }
  waiting_.clear();
}

void Feed::end_all(const grpc::Status& why) {
  for (const auto* subscribers : {&told_, &waiting_}) {
    for (const auto& subscriber : *subscribers) subscriber->end(why);
  }
  told_.clear();
  waiting_.clear();
}

grpc::Slice Feed::head() const {
  market::Events events;
  events.set_sequence(image_.sequence().value);
  events.set_sent_ns(nanoseconds(CLOCK_REALTIME));
  return slice_of(events);
}

Part Feed::snapshot_of(Symbol symbol) const {
  market::Events events;
  market::Snapshot& snapshot = *events.add_snapshots();
  snapshot.set_symbol(symbol.value);
  snapshot.set_sequence(image_.last_change(symbol).value);
  snapshot.set_halted(image_.halted(symbol));
  snapshot.set_last_trade_price_ticks(image_.last_trade_price(symbol).value);
  for (const Side side : {Side::kBuy, Side::kSell}) {
    auto& levels = side == Side::kBuy ? *snapshot.mutable_bids() : *snapshot.mutable_asks();
    image_.each_level(symbol, side, [&levels](Ticks price, Lots quantity) {
      market::Level& level = *levels.Add();
      level.set_price_ticks(price.value);
      level.set_quantity_lots(quantity.value);
    });
  }
  return {symbol, slice_of(events)};
}

}  // namespace lab::engine
