#include "engine/command.hpp"

#include <algorithm>

namespace lab::engine {
namespace {

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

bool is_well_formed_new(const Command& command) {
  const auto type = static_cast<OrderType>(command.type);
  const bool post_only = type == OrderType::kPostOnlyReject || type == OrderType::kPostOnlySlide;
  if (command.side == 0 || type == OrderType::kUnspecified) return false;
  if (type == OrderType::kMarket && command.price != 0) return false;
  return !post_only || command.time_in_force == static_cast<u8>(TimeInForce::kGtc);
}

bool is_well_formed_replace(const Command& command) {
  return command.order_id != 0 && command.time_in_force == static_cast<u8>(TimeInForce::kGtc) &&
         command.type != static_cast<u8>(OrderType::kMarket);
}

}  // namespace

bool is_well_formed(const Command& command) {
  if (!command.well_formed || command.client_id_size == 0 || !is_printable(command.client_order_id())) return false;
  if (command.side > static_cast<u8>(Side::kSell)) return false;
  if (command.type > static_cast<u8>(OrderType::kPostOnlySlide)) return false;
  if (command.time_in_force > static_cast<u8>(TimeInForce::kFok)) return false;
  if (command.self_trade > static_cast<u8>(SelfTrade::kDecrement)) return false;
  switch (static_cast<Kind>(command.kind)) {
    case Kind::kNew:
      return is_well_formed_new(command);
    case Kind::kReplace:
      return is_well_formed_replace(command);
    case Kind::kCancel:
      return command.order_id != 0;
    case Kind::kMassCancel:
    case Kind::kHalt:
    case Kind::kResume:
    case Kind::kKill:
    case Kind::kLift:
      return true;
    case Kind::kUnspecified:
      break;
  }
  return false;
}

Order order_of(const Command& command, Sequence sequence) {
  const auto type = static_cast<OrderType>(command.type);
  return {.id = order_id_of(command, sequence),
          .price = Ticks(command.price),
          .quantity = Lots(command.quantity),
          .account = Account(command.account),
          .symbol = Symbol(command.symbol),
          .kind = static_cast<Kind>(command.kind),
          .side = static_cast<Side>(command.side),
          .type = type == OrderType::kUnspecified ? OrderType::kLimit : type,
          .time_in_force = static_cast<TimeInForce>(command.time_in_force),
          .self_trade = static_cast<SelfTrade>(command.self_trade),
          .has_symbol = command.has_symbol};
}

}  // namespace lab::engine
