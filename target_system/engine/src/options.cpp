#include "engine/options.hpp"

#include <algorithm>
#include <charconv>
#include <functional>
#include <map>
#include <set>

#include "engine/identity.hpp"
#include "engine/slab.hpp"

namespace lab::engine {

const char* const kUsage =
    "usage: engine --listen ADDRESS:PORT --metrics ADDRESS:PORT --journal DIR --symbols A,B,...\n"
    "              [--price-min TICKS] [--price-max TICKS] [--max-orders N] [--max-ids N] [--queue N]\n"
    "              [--subscriber-bytes N]\n"
    "\n"
    "  --listen      where gRPC answers; port 0 takes a free one (the log says which)\n"
    "  --metrics     where /metrics answers\n"
    "  --journal     directory of the journal; made if it does not exist\n"
    "  --symbols     the symbol table, in this order for the life of the journal\n"
    "  --price-min, --price-max   smallest and largest price (1, 200000)\n"
    "  --max-orders  resting orders in all books (1000000)\n"
    "  --max-ids     commands over the life of the journal (8000000)\n"
    "  --queue       commands that may wait to be matched (65536)\n"
    "  --subscriber-bytes  market data that may wait for one subscriber (16777216)\n";

namespace {

constexpr std::size_t kSymbolsMax = 4096;
constexpr std::size_t kSymbolBytesMax = 32;

class Parser {
 public:
  std::vector<std::string> faults;

  void number(const std::string& flag, const std::string& text, i64 low, i64 high, i64& target) {
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, target);
    if (error == std::errc{} && stopped == end && target >= low && target <= high) return;
    faults.push_back(flag + " is '" + text + "'; give a whole number from " + std::to_string(low) + " to " +
                     std::to_string(high));
  }

  void address(const std::string& flag, const std::string& text, std::string& target) {
    target = text;
    const std::size_t colon = text.rfind(':');
    i64 port = 0;
    if (colon == std::string::npos || colon == 0) {
      faults.push_back(flag + " is '" + text + "'; give ADDRESS:PORT, as 127.0.0.1:7000");
    } else {
      number(flag + "'s port", text.substr(colon + 1), 0, 65'535, port);
    }
  }

  void symbols(const std::string& text, std::vector<std::string>& target) {
    for (std::size_t at = 0; at <= text.size();) {
      const std::size_t comma = std::min(text.find(',', at), text.size());
      target.push_back(text.substr(at, comma - at));
      at = comma + 1;
    }
    for (const std::string& symbol : target) {
      const auto graphic = [](char c) { return c > 0x20 && c < 0x7F; };
      if (symbol.empty() || symbol.size() > kSymbolBytesMax || !std::ranges::all_of(symbol, graphic)) {
        faults.push_back("--symbols has '" + symbol + "'; each is 1 to 32 printable characters, separated by commas");
      }
    }
    if (std::set<std::string>(target.begin(), target.end()).size() != target.size()) {
      faults.push_back("--symbols names a symbol twice");
    }
    if (target.size() > kSymbolsMax) faults.push_back("--symbols has more than " + std::to_string(kSymbolsMax));
  }
};

void judge_memory(const Limits& limits, std::vector<std::string>& faults) {
  if (limits.price_max < limits.price_min) {
    faults.push_back("--price-max is below --price-min");
    return;
  }
  const u64 levels = static_cast<u64>(limits.price_max - limits.price_min) + 1;
  if (levels > kMaxPriceRange) {
    faults.push_back("--price-min to --price-max spans more than " + std::to_string(kMaxPriceRange) + " ticks");
  } else if (Slab::units_needed(u64{limits.symbols} * 2, levels, limits.orders) > 0xFFFF'FFFFULL) {
    faults.push_back("--symbols, --price-min to --price-max and --max-orders together need more than 32 GiB of levels "
                     "and orders; lower one of them");
  }
}

}  // namespace

std::vector<std::string> parse_options(std::span<char* const> arguments, Options& options) {
  Parser parser;
  Limits& limits = options.header.limits;
  i64 orders = limits.orders;
  i64 ids = static_cast<i64>(options.ids_max);
  i64 queue = static_cast<i64>(options.queue);
  i64 subscriber_bytes = static_cast<i64>(options.subscriber_bytes);
  const std::map<std::string, std::function<void(const std::string&, const std::string&)>> flags{
      {"--listen", [&](auto& flag, auto& text) { parser.address(flag, text, options.listen); }},
      {"--metrics", [&](auto& flag, auto& text) { parser.address(flag, text, options.metrics); }},
      {"--journal", [&](auto&, auto& text) { options.journal = text; }},
      {"--symbols", [&](auto&, auto& text) { parser.symbols(text, options.header.symbols); }},
      {"--price-min", [&](auto& flag, auto& text) { parser.number(flag, text, 1, INT32_MAX, limits.price_min); }},
      {"--price-max", [&](auto& flag, auto& text) { parser.number(flag, text, 1, INT32_MAX, limits.price_max); }},
      {"--max-orders", [&](auto& flag, auto& text) { parser.number(flag, text, 1, 100'000'000, orders); }},
      {"--max-ids", [&](auto& flag, auto& text) { parser.number(flag, text, 1, IdentityIndex::kCapacityMax, ids); }},
      {"--queue", [&](auto& flag, auto& text) { parser.number(flag, text, 1, 10'000'000, queue); }},
      {"--subscriber-bytes",
       [&](auto& flag, auto& text) { parser.number(flag, text, 1, 1'000'000'000, subscriber_bytes); }},
  };
  std::set<std::string> seen;
  for (std::size_t i = 0; i < arguments.size(); i += 2) {
    const std::string flag = arguments[i];
    const auto known = flags.find(flag);
    if (known == flags.end()) {
      parser.faults.push_back("unknown flag '" + flag + "'");
    } else if (i + 1 == arguments.size()) {
      parser.faults.push_back(flag + " needs a value");
    } else if (!seen.insert(flag).second) {
      parser.faults.push_back(flag + " is given twice");
    } else {
      known->second(flag, arguments[i + 1]);
    }
  }
  for (const char* needed : {"--listen", "--metrics", "--journal", "--symbols"}) {
    if (!seen.contains(needed)) parser.faults.push_back(std::string(needed) + " is missing");
  }
  limits.symbols = static_cast<u32>(options.header.symbols.size());
  limits.orders = static_cast<u32>(orders);
  options.ids_max = static_cast<u64>(ids);
  options.queue = static_cast<u64>(queue);
  options.subscriber_bytes = static_cast<u64>(subscriber_bytes);
  judge_memory(limits, parser.faults);
  return parser.faults;
}

}  // namespace lab::engine
