#include "engine/snapshot.hpp"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "engine/crc32c.hpp"
#include "engine/file.hpp"

namespace lab::engine {
namespace {

constexpr char kSnapshotMagic[] = "LABSNAP\n";
constexpr u32 kSnapshotVersion = 2;
constexpr std::size_t kSnapshotHeadBytes = 16;

// One resting order in the file, without padding.
struct StoredOrder {
  u64 id;
  i64 price;
  u64 quantity;
  u32 account;
  u32 symbol;
  u32 side;
  u32 unused;
};
static_assert(sizeof(StoredOrder) == 40);

struct StoredHead {
  u64 sequence;
  u64 journal_bytes;
  u64 last_trade_id;
  u64 trade_hash;
  u64 symbols;
  u64 orders;
  u64 killed;
};

template <class Item>
void put(std::string& out, const Item& item) {
  out.append(reinterpret_cast<const char*>(&item), sizeof item);
}

std::string encode(const Snapshot& snapshot) {
  std::string body;
  put(body, StoredHead{snapshot.sequence, snapshot.journal_bytes, snapshot.tape.last_trade_id, snapshot.tape.trade_hash,
                       snapshot.symbols.size(), snapshot.orders.size(), snapshot.killed.size()});
  for (const Snapshot::SymbolState& symbol : snapshot.symbols) put(body, symbol);
  for (const RestingOrder& order : snapshot.orders) {
    put(body, StoredOrder{order.id.value, order.price.value, order.quantity.value, order.account.value,
                          order.symbol.value, static_cast<u32>(order.side), 0});
  }
  for (const u32 account : snapshot.killed) put(body, account);
  std::string out(kSnapshotMagic, 8);
  put(out, kSnapshotVersion);
  put(out, crc32c(body.data(), body.size()));
  return out + body;
}

bool decode(const std::string& bytes, Snapshot& snapshot) {
  if (bytes.size() < kSnapshotHeadBytes + sizeof(StoredHead) || bytes.compare(0, 8, kSnapshotMagic) != 0) return false;
  u32 version = 0;
  u32 checksum = 0;
  std::memcpy(&version, bytes.data() + 8, 4);
  std::memcpy(&checksum, bytes.data() + 12, 4);
  const char* at = bytes.data() + kSnapshotHeadBytes;
  const std::size_t size = bytes.size() - kSnapshotHeadBytes;
  if (version != kSnapshotVersion || crc32c(at, size) != checksum) return false;

  StoredHead head{};
  std::memcpy(&head, at, sizeof head);
  at += sizeof head;
  const std::size_t expected = sizeof head + head.symbols * sizeof(Snapshot::SymbolState) + head.orders * sizeof(StoredOrder) +
                               head.killed * sizeof(u32);
  if (size != expected) return false;
  snapshot.sequence = head.sequence;
  snapshot.journal_bytes = head.journal_bytes;
  snapshot.tape = {head.last_trade_id, head.trade_hash};
  snapshot.symbols.resize(head.symbols);
  std::memcpy(snapshot.symbols.data(), at, head.symbols * sizeof(Snapshot::SymbolState));
  at += head.symbols * sizeof(Snapshot::SymbolState);
  for (u64 i = 0; i < head.orders; ++i, at += sizeof(StoredOrder)) {
    StoredOrder order{};
    std::memcpy(&order, at, sizeof order);
    snapshot.orders.push_back({OrderId(order.id), Account(order.account), Symbol(order.symbol),
                               static_cast<Side>(order.side), Ticks(order.price), Lots(order.quantity)});
  }
  snapshot.killed.resize(head.killed);
  std::memcpy(snapshot.killed.data(), at, head.killed * sizeof(u32));
  return true;
}

bool fits(const Snapshot& snapshot, const Limits& limits) {
  const auto in_range = [&](const RestingOrder& order) {
    return order.symbol.value < limits.symbols && order.price.value >= limits.price_min &&
           order.price.value <= limits.price_max;
  };
  return snapshot.symbols.size() == limits.symbols && snapshot.orders.size() <= limits.orders &&
         snapshot.killed.size() <= kMaxKilled &&
         std::ranges::all_of(snapshot.orders, in_range);
}

}  // namespace

std::string snapshot_path(const std::string& directory) { return directory + "/snapshot"; }

Snapshot take_snapshot(const State& state, u64 journal_bytes) {
  const auto& market = state.matcher.market();
  Snapshot snapshot{state.last.value, journal_bytes, market.tape(), {}, {}, market.killed()};
  for (u32 symbol = 0; symbol < market.limits().symbols; ++symbol) {
    snapshot.symbols.push_back({market.last_trade_price(Symbol(symbol)).value, market.halted(Symbol(symbol)) ? 1U : 0U});
  }
  snapshot.orders.reserve(market.resting_orders());
  market.each_resting([&](const RestingOrder& order) { snapshot.orders.push_back(order); });
  return snapshot;
}

void restore_snapshot(const Snapshot& snapshot, State& state) {
  auto& market = state.matcher.market();
  market.restore_tape(snapshot.tape);
  for (u32 symbol = 0; symbol < snapshot.symbols.size(); ++symbol) {
    const Snapshot::SymbolState& stored = snapshot.symbols[symbol];
    market.restore_symbol(Symbol(symbol), stored.halted != 0, Ticks(stored.last_trade_price));
  }
  for (const RestingOrder& order : snapshot.orders) market.restore(order);
  for (const u32 account : snapshot.killed) market.restore_killed(Account(account));
}

void write_snapshot(const std::string& directory, const Snapshot& snapshot) {
  const std::string bytes = encode(snapshot);
  const std::string temporary = directory + "/snapshot.new";
  {
    const File file(temporary, O_RDWR | O_CREAT | O_TRUNC);
    write_all(file, temporary, {reinterpret_cast<const u8*>(bytes.data()), bytes.size()}, 0);
    if (::fsync(file.descriptor()) != 0) fail_on("sync", temporary);
  }
  std::filesystem::rename(temporary, snapshot_path(directory));
  sync_directory(directory);
}

SnapshotRead read_snapshot(const std::string& directory, const Limits& limits, Snapshot& snapshot) {
  if (!std::filesystem::exists(snapshot_path(directory))) return SnapshotRead::kNone;
  std::ifstream file(snapshot_path(directory), std::ios::binary);
  const std::string bytes(std::istreambuf_iterator<char>(file), {});
  return decode(bytes, snapshot) && fits(snapshot, limits) ? SnapshotRead::kRead : SnapshotRead::kUnusable;
}

}  // namespace lab::engine
