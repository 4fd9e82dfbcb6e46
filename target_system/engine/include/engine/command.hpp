// One command as it came in: what the books need, the sender's identity for it, and when the gateway received it.
#pragma once

#include <cstring>
#include <string_view>

#include "engine/types.hpp"

namespace lab::engine {

struct Command {
  static constexpr std::size_t kClientIdMax = 36;

  u64 request = 0;  // the sender's own number; not journalled
  u64 received_ns = 0;
  u64 order_id = 0;
  u64 quantity = 0;
  i64 price = 0;
  u32 account = 0;
  u32 symbol = 0;
  u8 kind = 0;
  u8 side = 0;
  u8 type = 0;
  u8 time_in_force = 0;
  u8 self_trade = 0;
  bool has_symbol = false;
  bool well_formed = true;  // false: a field of this command could not be held at all
  u8 client_id_size = 0;
  char client_id[40] = {};  // whole words, zero behind the id: digest_of() reads it so

  std::string_view client_order_id() const { return {client_id, client_id_size}; }
  void set_client_order_id(std::string_view id) {
    client_id_size = static_cast<u8>(id.size());
    std::memcpy(client_id, id.data(), id.size());
  }
};

// Whether the command makes sense in itself. What needs the books or the limits to judge is theirs to refuse.
bool is_well_formed(const Command& command);

// The order that the command means; `sequence` becomes the id of a new one.
Order order_of(const Command& command, Sequence sequence);

// The id in the result: a new order's own, or that of the order meant.
inline OrderId order_id_of(const Command& command, Sequence sequence) {
  return OrderId(command.kind == static_cast<u8>(Kind::kNew) ? sequence.value : command.order_id);
}

}  // namespace lab::engine
