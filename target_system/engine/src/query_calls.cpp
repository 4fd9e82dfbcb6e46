#include "query_calls.hpp"

namespace lab::engine {
namespace {

constexpr u64 kResultsMax = 4096;
constexpr u32 kDepthMax = 1000;
constexpr int kDumpOrdersPerMessage = 4096;

const grpc::Status kBusy{grpc::StatusCode::RESOURCE_EXHAUSTED, "too many questions wait for the books; ask again"};

grpc::Status invalid(const std::string& what) { return {grpc::StatusCode::INVALID_ARGUMENT, what}; }

void fill_levels(const Market<DenseIds>& market, Symbol symbol, Side side, u32 depth,
                 google::protobuf::RepeatedPtrField<v1::Level>& levels) {
  market.each_level(symbol, side, depth, [&](Ticks price, u64 quantity, u32 orders) {
    v1::Level& level = *levels.Add();
    level.set_price_ticks(price.value);
    level.set_quantity_lots(quantity);
    level.set_orders(orders);
  });
}

}  // namespace

void ResultsCall::wait_for_client() {
  service.async().RequestResults(&context, &request_, &writer_, &service.queue(), &service.queue(), arm_accept());
}

void ResultsCall::begin() {
  v1::ResultsRequest wanted;
  const bool parsed = grpc::SerializationTraits<v1::ResultsRequest>::Deserialize(&request_, &wanted).ok();
  const u64 first = wanted.first_sequence();
  if (!parsed || first == 0 || wanted.last_sequence() < first) {
    writer_.FinishWithError(invalid("first_sequence must be at least 1 and last_sequence not below it"), arm(finished_));
    return;
  }
  const u64 most = std::min(wanted.last_sequence() - first, kResultsMax - 1);
  const u64 last = std::min(first + most, service.pipeline().synced().value);
  Buffer out;
  service.pipeline().results(Sequence(first), Sequence(last), out);
  const grpc::Slice slice(out.data(), out.size());
  writer_.Finish(grpc::ByteBuffer(&slice, 1), grpc::Status::OK, arm(finished_));
}

// Whoever gave up meanwhile is not looked up for: the books' time is orders' time.
template <class Request, class Reply>
void Question<Request, Reply>::begin() {
  if (const grpc::Status wrong = judge(request_); !wrong.ok()) {
    writer_.FinishWithError(wrong, arm(finished_));
    return;
  }
  const bool taken = service.pipeline().ask([this, self = shared_from_this()](const State& state) {
    if (!cancelled()) look(state, request_, reply_);
    writer_.Finish(reply_, grpc::Status::OK, arm(finished_));
  });
  if (!taken) writer_.FinishWithError(kBusy, arm(finished_));
}

void BookCall::wait_for_client() {
  service.async().RequestBook(&context, &request_, &writer_, &service.queue(), &service.queue(), arm_accept());
}

grpc::Status BookCall::judge(const v1::BookRequest& request) const {
  if (request.symbol() < service.symbols().size() && request.depth() <= kDepthMax) return grpc::Status::OK;
  return invalid("symbol must be below " + std::to_string(service.symbols().size()) + ", depth at most " +
                 std::to_string(kDepthMax));
}

void BookCall::look(const State& state, const v1::BookRequest& request, v1::BookReply& reply) const {
  const auto& market = state.matcher.market();
  const Symbol symbol(request.symbol());
  reply.set_sequence(state.last.value);
  fill_levels(market, symbol, Side::kBuy, request.depth(), *reply.mutable_bids());
  fill_levels(market, symbol, Side::kSell, request.depth(), *reply.mutable_asks());
  reply.set_halted(market.halted(symbol));
  reply.set_last_trade_price_ticks(market.last_trade_price(symbol).value);
}

void StatusCall::wait_for_client() {
  service.async().RequestStatus(&context, &request_, &writer_, &service.queue(), &service.queue(), arm_accept());
}

void StatusCall::look(const State& state, const v1::StatusRequest& /*request*/, v1::StatusReply& reply) const {
  const auto& market = state.matcher.market();
  reply.set_last_sequence(state.last.value);
  reply.set_synced_sequence(service.pipeline().synced().value);
  reply.set_last_trade_id(service.metrics().counts.synced_trade_id.get());
  reply.set_trade_hash(market.tape().trade_hash);
  for (const std::string& symbol : service.symbols()) reply.add_symbols(symbol);
  reply.set_price_ticks_min(market.limits().price_min);
  reply.set_price_ticks_max(market.limits().price_max);
  reply.set_resting_orders(market.resting_orders());
}

void DumpCall::wait_for_client() {
  service.async().RequestDump(&context, &request_, &writer_, &service.queue(), &service.queue(), arm_accept());
}

void DumpCall::begin() {
  const bool taken = service.pipeline().ask([this, self = shared_from_this()](const State& state) {
    if (!cancelled()) copy(state);
    write_next();
  });
  if (!taken) writer_.Finish(kBusy, arm(finished_));
}

void DumpCall::copy(const State& state) {
  messages_.emplace_back();
  state.matcher.market().each_resting([this](const RestingOrder& order) {
    if (messages_.back().orders_size() == kDumpOrdersPerMessage) messages_.emplace_back();
    v1::RestingOrder& out = *messages_.back().add_orders();
    out.set_order_id(order.id.value);
    out.set_account(order.account.value);
    out.set_symbol(order.symbol.value);
    out.set_side(static_cast<v1::Side>(order.side));
    out.set_price_ticks(order.price.value);
    out.set_quantity_lots(order.quantity.value);
  });
  for (v1::RestingOrders& message : messages_) message.set_sequence(state.last.value);
}

void DumpCall::write_next() {
  if (next_ < messages_.size()) {
    writer_.Write(messages_[next_++], arm(written_));
  } else {
    writer_.Finish(grpc::Status::OK, arm(finished_));
  }
}

}  // namespace lab::engine
