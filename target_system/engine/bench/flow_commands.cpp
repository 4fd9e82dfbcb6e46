#include "flow_commands.hpp"

#include <string>

#include "contenders.hpp"
#include "engine/matcher.hpp"

namespace lab::engine::bench {
namespace {

Command command_of(const FlowRecord& record, u64 sequence, std::vector<u64>& sequence_of) {
  Command command;
  command.request = sequence;
  command.account = record.id & 63;
  command.symbol = record.symbol;
  command.received_ns = 1'700'000'000'000'000'000ULL + sequence;
  if (record.kind == FlowKind::kCancel) {
    command.kind = static_cast<u8>(Kind::kCancel);
    command.order_id = sequence_of[record.id];
    command.set_client_order_id("~c" + std::to_string(command.order_id));
    return command;
  }
  sequence_of[record.id] = sequence;
  command.kind = static_cast<u8>(Kind::kNew);
  command.side = static_cast<u8>(record.is_sell != 0 ? Side::kSell : Side::kBuy);
  command.type = static_cast<u8>(OrderType::kLimit);
  command.price = record.price;
  command.quantity = record.quantity;
  command.set_client_order_id("order-" + std::to_string(record.id));
  return command;
}

}  // namespace

std::vector<Command> flow_commands(u64 events) {
  std::vector<u64> sequence_of(events + 1);
  std::vector<Command> commands;
  commands.reserve(events);
  for (const FlowRecord& record : make_flow(events)) {
    commands.push_back(command_of(record, commands.size() + 1, sequence_of));
  }
  return commands;
}

JournalHeader flow_header() {
  JournalHeader header{flow_limits(), {}};
  for (u32 symbol = 0; symbol < kFlowSymbols; ++symbol) header.symbols.push_back("S" + std::to_string(symbol));
  return header;
}

u64 trade_hash_of(const std::vector<Command>& commands) {
  Market<DenseIds> market(flow_limits(), commands.size());
  NoSink sink;
  for (std::size_t i = 0; i < commands.size(); ++i) market.apply(order_of(commands[i], Sequence(i + 1)), sink);
  return market.tape().trade_hash;
}

}  // namespace lab::engine::bench
