#include "replay_json.hpp"

#include <charconv>

#include "engine/log.hpp"
#include "engine/names.hpp"

namespace lab::engine {
namespace {

// An object that is written key by key at the end of a string.
class JsonObject {
 public:
  explicit JsonObject(std::string& out) : out_(out) { out_ += '{'; }
  JsonObject(const JsonObject&) = delete;
  JsonObject& operator=(const JsonObject&) = delete;
  ~JsonObject() { out_ += '}'; }

  template <class Number>
  void number(const char* key, Number value) {
    name(key);
    char digits[24];
    out_.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void word(const char* key, const char* value) {  // one that needs no escapes
    name(key);
    ((out_ += '"') += value) += '"';
  }
  void text(const char* key, std::string_view value) {
    name(key);
    out_ += json_string(value);
  }
  std::string& raw(const char* key) {
    name(key);
    return out_;
  }

 private:
  void name(const char* key) {
    if (!first_) out_ += ", ";
    first_ = false;
    ((out_ += '"') += key) += "\": ";
  }

  std::string& out_;
  bool first_ = true;
};

template <class Item, class Write>
void write_list(std::string& out, std::span<const Item> items, Write&& write) {
  out += '[';
  bool first = true;
  for (const Item& item : items) {
    if (!first) out += ", ";
    first = false;
    JsonObject object(out);
    write(object, item);
  }
  out += ']';
}

void write_symbol(JsonObject& object, u32 symbol, const std::vector<std::string>& symbols) {
  if (symbol < symbols.size()) {
    object.text("symbol", symbols[symbol]);
  } else {
    object.number("symbol", symbol);  // of a command that was refused for it
  }
}

void write_command(const Command& command, const std::vector<std::string>& symbols, std::string& out) {
  JsonObject object(out);
  object.word("kind", name_of(static_cast<Kind>(command.kind)));
  object.number("account", command.account);
  object.text("client_order_id", command.client_order_id());
  write_symbol(object, command.symbol, symbols);
  object.word("side", name_of(static_cast<Side>(command.side)));
  object.word("order_type", name_of(static_cast<OrderType>(command.type)));
  object.word("time_in_force", name_of(static_cast<TimeInForce>(command.time_in_force)));
  object.word("self_trade_prevention", name_of(static_cast<SelfTrade>(command.self_trade)));
  object.number("price_ticks", command.price);
  object.number("quantity_lots", command.quantity);
  object.number("order_id", command.order_id);
  object.number("received_ns", command.received_ns);
  object.raw("has_symbol") += command.has_symbol ? "true" : "false";
}

}  // namespace

void append_result_json(Sequence sequence, const Replayed& replayed, const Outcomes& outcomes,
                        const std::vector<std::string>& symbols, std::string& out) {
  const Verdict& verdict = replayed.verdict;
  {
    JsonObject object(out);
    object.number("sequence", sequence.value);
    object.word("outcome", name_of(verdict.outcome));
    object.word("reason", name_of(verdict.reason));
    object.number("order_id", order_id_of(replayed.command, sequence).value);
    object.number("filled_lots", verdict.filled.value);
    object.number("resting_lots", verdict.resting.value);
    object.number("cancelled_lots", verdict.cancelled.value);
    object.number("resting_price_ticks", verdict.resting_price.value);
    write_list(object.raw("fills"), outcomes.fills(), [](JsonObject& item, const Fill& fill) {
      item.number("trade_id", fill.trade_id);
      item.number("maker_order_id", fill.maker.value);
      item.number("maker_account", fill.maker_account.value);
      item.number("price_ticks", fill.price.value);
      item.number("quantity_lots", fill.quantity.value);
    });
    write_list(object.raw("removals"), outcomes.removals(), [](JsonObject& item, const Removal& removal) {
      item.number("order_id", removal.id.value);
      item.number("quantity_lots", removal.quantity.value);
    });
    write_command(replayed.command, symbols, object.raw("command"));
  }
  out += '\n';
}

std::string books_json(const Market<DenseIds>& market, Sequence sequence, const std::vector<std::string>& symbols) {
  std::vector<RestingOrder> orders;
  market.each_resting([&](const RestingOrder& order) { orders.push_back(order); });
  std::string out;
  {
    JsonObject object(out);
    object.number("sequence", sequence.value);
    object.number("resting_orders", orders.size());
    write_list(object.raw("orders"), std::span<const RestingOrder>(orders),
               [&](JsonObject& item, const RestingOrder& order) {
                 item.number("order_id", order.id.value);
                 item.number("account", order.account.value);
                 write_symbol(item, order.symbol.value, symbols);
                 item.word("side", name_of(order.side));
                 item.number("price_ticks", order.price.value);
                 item.number("quantity_lots", order.quantity.value);
               });
    std::string& list = object.raw("symbols");
    list += '[';
    for (u32 symbol = 0; symbol < symbols.size(); ++symbol) {
      if (symbol > 0) list += ", ";
      JsonObject item(list);
      write_symbol(item, symbol, symbols);
      item.raw("halted") += market.halted(Symbol(symbol)) ? "true" : "false";
      item.number("last_trade_price_ticks", market.last_trade_price(Symbol(symbol)).value);
    }
    list += ']';
  }
  return out + '\n';
}

}  // namespace lab::engine
