#include "engine/wire.hpp"

#include "wire_io.hpp"

namespace lab::engine {
namespace {

using wire::Field;
using wire::Reader;

template <class Enum>
constexpr u8 number(Enum value) {
  return static_cast<u8>(value);
}

// Command fields, numbered as in engine.proto.
enum CommandField : u32 {
  kRequest = 1,
  kKind,
  kAccount,
  kClientOrderId,
  kSymbol,
  kSide,
  kOrderType,
  kTimeInForce,
  kSelfTrade,
  kPrice,
  kQuantity,
  kOrderId,
  kReceivedNs,
  kHasSymbol,
  kTraceParent
};

template <class Narrow>
void narrow(u64 value, Narrow& target, Command& command) {
  target = static_cast<Narrow>(value);
  if (target != value) command.well_formed = false;
}

bool read_client_id(Reader& reader, const Field& field, Command& command) {
  Bytes text;
  if (field.type != wire::kDelimited || !reader.bytes(text)) return false;
  if (text.size() > Command::kClientIdMax) {
    command.well_formed = false;
    return true;
  }
  command.set_client_order_id({reinterpret_cast<const char*>(text.data()), text.size()});
  return true;
}

bool read_number(const Field& field, u64 value, Command& command) {
  switch (field.number) {
    case kRequest:
      command.request = value;
      return true;
    case kKind:
      narrow(value, command.kind, command);
      return true;
    case kAccount:
      command.account = static_cast<u32>(value);
      return true;
    case kSymbol:
      command.symbol = static_cast<u32>(value);
      return true;
    case kSide:
      narrow(value, command.side, command);
      return true;
    case kOrderType:
      narrow(value, command.type, command);
      return true;
    case kTimeInForce:
      narrow(value, command.time_in_force, command);
      return true;
    case kSelfTrade:
      narrow(value, command.self_trade, command);
      return true;
    case kPrice:
      command.price = wire::unzigzag(value);
      return true;
    case kQuantity:
      command.quantity = value;
      return true;
    case kOrderId:
      command.order_id = value;
      return true;
    case kHasSymbol:
      command.has_symbol = value != 0;
      return true;
    default:
      return true;  // a field of a later version
  }
}

bool read_fill(Bytes bytes, Fill& fill) {
  Reader reader(bytes);
  for (Field field; reader.next(field);) {
    u64 value = 0;
    if (field.type != wire::kVarint || !reader.varint(value)) return false;
    if (field.number == 1) fill.trade_id = value;
    if (field.number == 2) fill.maker = OrderId(value);
    if (field.number == 3) fill.maker_account = Account(static_cast<u32>(value));
    if (field.number == 4) fill.price = Ticks(wire::unzigzag(value));
    if (field.number == 5) fill.quantity = Lots(value);
  }
  return reader.ok();
}

bool read_removal(Bytes bytes, Removal& removal) {
  Reader reader(bytes);
  for (Field field; reader.next(field);) {
    u64 value = 0;
    if (field.type != wire::kVarint || !reader.varint(value)) return false;
    if (field.number == 1) removal.id = OrderId(value);
    if (field.number == 2) removal.quantity = Lots(value);
  }
  return reader.ok();
}

// Result fields, numbered as in engine.proto.
enum ResultField : u32 {
  kResultRequest = 1,
  kSequence,
  kOutcome,
  kReason,
  kResultOrderId,
  kFilled,
  kResting,
  kCancelled,
  kFills,
  kRemovals,
  kRepeatedCommand,
  kCommand,
  kRestingPrice,
  kTiming
};

bool read_result_number(const Field& field, u64 value, StoredResult& result) {
  if (field.number == kSequence) result.sequence = Sequence(value);
  if (field.number == kOutcome) result.verdict.outcome = static_cast<Outcome>(value);
  if (field.number == kReason) result.verdict.reason = static_cast<Reason>(value);
  if (field.number == kResultOrderId) result.order_id = OrderId(value);
  if (field.number == kFilled) result.verdict.filled = Lots(value);
  if (field.number == kResting) result.verdict.resting = Lots(value);
  if (field.number == kCancelled) result.verdict.cancelled = Lots(value);
  if (field.number == kRestingPrice) result.verdict.resting_price = Ticks(wire::unzigzag(value));
  return true;
}

bool read_result_message(const Field& field, Bytes bytes, StoredResult& result) {
  if (field.number == kFills) return read_fill(bytes, result.fills.emplace_back());
  if (field.number == kRemovals) return read_removal(bytes, result.removals.emplace_back());
  if (field.number == kCommand) return decode_command(bytes, result.command);
  return true;
}

u8* encode_fill(const Fill& fill, u8* out) {
  out = wire::put_uint(1, fill.trade_id, out);
  out = wire::put_uint(2, fill.maker.value, out);
  out = wire::put_uint(3, fill.maker_account.value, out);
  out = wire::put_sint(4, fill.price.value, out);
  return wire::put_uint(5, fill.quantity.value, out);
}

u8* encode_removal(const Removal& removal, u8* out) {
  out = wire::put_uint(1, removal.id.value, out);
  return wire::put_uint(2, removal.quantity.value, out);
}

}  // namespace

bool decode_command(Bytes bytes, Command& command) {
  Reader reader(bytes);
  for (Field field; reader.next(field);) {
    if (field.type == wire::kVarint) {
      u64 value = 0;
      if (!reader.varint(value) || !read_number(field, value, command)) return false;
    } else if (field.number == kClientOrderId) {
      if (!read_client_id(reader, field, command)) return false;
    } else if (field.number == kReceivedNs && field.type == wire::kFixed64) {
      if (!reader.fixed64(command.received_ns)) return false;
    } else if (!reader.skip(field)) {
      return false;
    }
  }
  return reader.ok();
}

bool decode_batch(Bytes bytes, std::vector<Command>& commands) {
  const std::size_t before = commands.size();
  Reader reader(bytes);
  bool good = true;
  for (Field field; good && reader.next(field);) {
    if (field.number != kBatchItemField || field.type != wire::kDelimited) {
      good = reader.skip(field);
      continue;
    }
    Bytes item;
    good = reader.bytes(item) && decode_command(item, commands.emplace_back());
  }
  if (good && reader.ok()) return true;
  commands.resize(before);
  return false;
}

u8* encode_command(const Command& command, u8* out) {
  out = wire::put_uint(kKind, command.kind, out);
  out = wire::put_uint(kAccount, command.account, out);
  out = wire::put_bytes(kClientOrderId, command.client_order_id(), out);
  out = wire::put_uint(kSymbol, command.symbol, out);
  out = wire::put_uint(kSide, command.side, out);
  out = wire::put_uint(kOrderType, command.type, out);
  out = wire::put_uint(kTimeInForce, command.time_in_force, out);
  out = wire::put_uint(kSelfTrade, command.self_trade, out);
  out = wire::put_sint(kPrice, command.price, out);
  out = wire::put_uint(kQuantity, command.quantity, out);
  out = wire::put_uint(kOrderId, command.order_id, out);
  if (command.received_ns != 0) out = wire::put_fixed64(kReceivedNs, command.received_ns, out);
  return wire::put_uint(kHasSymbol, command.has_symbol ? 1 : 0, out);
}

u8* encode_result(Sequence sequence, OrderId order_id, const Verdict& verdict, std::span<const Fill> fills,
                  std::span<const Removal> removals, u8* out) {
  out = wire::put_uint(kSequence, sequence.value, out);
  out = wire::put_uint(kOutcome, number(verdict.outcome), out);
  out = wire::put_uint(kReason, number(verdict.reason), out);
  out = wire::put_uint(kResultOrderId, order_id.value, out);
  out = wire::put_uint(kFilled, verdict.filled.value, out);
  out = wire::put_uint(kResting, verdict.resting.value, out);
  out = wire::put_uint(kCancelled, verdict.cancelled.value, out);
  for (const Fill& fill : fills) {
    out = wire::put_small_message(kFills, out, [&](u8* inner) { return encode_fill(fill, inner); });
  }
  for (const Removal& removal : removals) {
    out = wire::put_small_message(kRemovals, out, [&](u8* inner) { return encode_removal(removal, inner); });
  }
  return wire::put_sint(kRestingPrice, verdict.resting_price.value, out);
}

u8* encode_command_field(const Command& command, u8* out) {
  return wire::put_small_message(kCommand, out, [&](u8* inner) { return encode_command(command, inner); });
}

u8* encode_request_field(u64 request, u8* out) { return wire::put_uint(kResultRequest, request, out); }

u8* encode_repeated_field(u8* out) { return wire::put_uint(kRepeatedCommand, 1, out); }

u8* encode_not_sequenced(Reason reason, u8* out) {
  out = wire::put_uint(kOutcome, number(Outcome::kNotSequenced), out);
  return wire::put_uint(kReason, number(reason), out);
}

u8* encode_length_prefix(u32 field, u64 size, u8* out) {
  *out++ = static_cast<u8>(field << 3 | wire::kDelimited);
  return wire::put_varint(size, out);
}

u8* encode_timing_field(const Timing& timing, u8* out) {
  return wire::put_small_message(kTiming, out, [&](u8* inner) {
    inner = wire::put_uint(1, timing.queued_ns, inner);
    inner = wire::put_uint(2, timing.matched_ns, inner);
    inner = wire::put_uint(3, timing.synced_ns, inner);
    return wire::put_uint(4, timing.batch_size, inner);
  });
}

bool decode_stored(Bytes bytes, StoredResult& result) {
  Reader reader(bytes);
  bool has_command = false;
  for (Field field; reader.next(field);) {
    u64 value = 0;
    Bytes inner;
    if (field.type == wire::kVarint) {
      if (!reader.varint(value) || !read_result_number(field, value, result)) return false;
    } else if (field.type == wire::kDelimited) {
      if (!reader.bytes(inner) || !read_result_message(field, inner, result)) return false;
      has_command |= field.number == kCommand;
    } else if (!reader.skip(field)) {
      return false;
    }
  }
  return reader.ok() && has_command;
}

bool decode_stored_command(Bytes bytes, Sequence& sequence, Command& command) {
  Reader reader(bytes);
  bool has_command = false;
  for (Field field; reader.next(field);) {
    u64 value = 0;
    Bytes inner;
    if (field.number == kSequence && field.type == wire::kVarint) {
      if (!reader.varint(value)) return false;
      sequence = Sequence(value);
    } else if (field.number == kCommand && field.type == wire::kDelimited) {
      if (!reader.bytes(inner) || !decode_command(inner, command)) return false;
      has_command = true;
    } else if (!reader.skip(field)) {
      return false;
    }
  }
  return reader.ok() && has_command;
}

}  // namespace lab::engine
