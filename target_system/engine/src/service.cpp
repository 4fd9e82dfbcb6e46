#include "engine/service.hpp"

#include "order_calls.hpp"

namespace lab::engine {
namespace {

constexpr u64 kResultsMax = 4096;
constexpr u32 kDepthMax = 1000;
constexpr int kDumpOrdersPerMessage = 4096;

const grpc::Status kBusy{grpc::StatusCode::RESOURCE_EXHAUSTED, "too many questions wait for the books; ask again"};

const grpc::Status kStopping{grpc::StatusCode::UNAVAILABLE, "the engine stops"};

grpc::Status invalid(const std::string& what) { return {grpc::StatusCode::INVALID_ARGUMENT, what}; }

// A unary call that asks the book thread. Whoever gave up meanwhile is not looked up for: the books' time is orders' time.
class Question final : public grpc::ServerUnaryReactor {
 public:
  void OnCancel() override { cancelled = true; }
  void OnDone() override { self.reset(); }

  std::atomic<bool> cancelled{false};
  std::shared_ptr<Question> self;
};

grpc::ServerUnaryReactor* ask(Pipeline& pipeline, std::function<void(const State&)> look) {
  auto question = std::make_shared<Question>();
  question->self = question;
  Question* const reactor = question.get();
  const bool taken = pipeline.ask([question, look = std::move(look)](const State& state) {
    if (!question->cancelled) look(state);
    question->Finish(grpc::Status::OK);
  });
  if (!taken) reactor->Finish(kBusy);
  return reactor;
}

void fill_levels(const Market<DenseIds>& market, Symbol symbol, Side side, u32 depth,
                 google::protobuf::RepeatedPtrField<v1::Level>& levels) {
  market.each_level(symbol, side, depth, [&](Ticks price, u64 quantity, u32 orders) {
    v1::Level& level = *levels.Add();
    level.set_price_ticks(price.value);
    level.set_quantity_lots(quantity);
    level.set_orders(orders);
  });
}

class DumpCall final : public grpc::ServerWriteReactor<v1::RestingOrders> {
 public:
  void begin(const State& state) {
    messages_.emplace_back();
    state.matcher.market().each_resting([&](const RestingOrder& order) {
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
    StartWrite(&messages_[next_++]);
  }
  void OnWriteDone(bool ok) override {
    if (ok && next_ < messages_.size()) {
      StartWrite(&messages_[next_++]);
    } else {
      Finish(grpc::Status::OK);
    }
  }
  void OnDone() override { delete this; }

 private:
  std::vector<v1::RestingOrders> messages_;
  std::size_t next_ = 0;
};

}  // namespace

grpc::ServerUnaryReactor* Service::Submit(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                          grpc::ByteBuffer* response) {
  std::unique_ptr<Message> message = decode_message(*request, false, pipeline_.digest_key());
  if (!message) {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(invalid("the request is no Command"));
    return reactor;
  }
  auto call = std::make_shared<SubmitCall>(response);
  call->self = call;
  message->recipient = call;
  submit_or_refuse(pipeline_, std::move(message));
  return call.get();
}

grpc::ServerBidiReactor<grpc::ByteBuffer, grpc::ByteBuffer>* Service::Stream(grpc::CallbackServerContext* /*context*/) {
  auto call = std::make_shared<StreamCall>(*this);
  ++metrics_.counts.streams;
  bool ending = false;
  {
    const std::lock_guard lock(mutex_);
    calls_.push_back(call);
    ending = ending_;
  }
  call->begin();
  if (ending) call->end(kStopping);
  return call.get();
}

void Service::forget(StreamCall* call) {
  --metrics_.counts.streams;
  const std::lock_guard lock(mutex_);
  calls_.remove_if([call](const auto& other) { return other.get() == call; });
}

void Service::end_streams() {
  std::vector<std::shared_ptr<StreamCall>> calls;
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    calls.assign(calls_.begin(), calls_.end());
  }
  for (const auto& call : calls) call->end(kStopping);
}

grpc::ServerUnaryReactor* Service::Results(grpc::CallbackServerContext* context, const grpc::ByteBuffer* request,
                                           grpc::ByteBuffer* response) {
  auto* reactor = context->DefaultReactor();
  v1::ResultsRequest wanted;
  grpc::ByteBuffer bytes = *request;
  const bool parsed = grpc::SerializationTraits<v1::ResultsRequest>::Deserialize(&bytes, &wanted).ok();
  if (!parsed || wanted.first_sequence() == 0 || wanted.last_sequence() < wanted.first_sequence()) {
    reactor->Finish(invalid("first_sequence must be at least 1 and last_sequence not below it"));
    return reactor;
  }
  const u64 last = std::min({wanted.last_sequence(), pipeline_.synced().value, wanted.first_sequence() + kResultsMax - 1});
  Buffer out;
  pipeline_.results(Sequence(wanted.first_sequence()), Sequence(last), out);
  const grpc::Slice slice(out.data(), out.size());
  *response = grpc::ByteBuffer(&slice, 1);
  reactor->Finish(grpc::Status::OK);
  return reactor;
}

grpc::ServerUnaryReactor* Service::Book(grpc::CallbackServerContext* context, const v1::BookRequest* request,
                                        v1::BookReply* response) {
  if (request->symbol() >= symbols_.size() || request->depth() > kDepthMax) {
    auto* reactor = context->DefaultReactor();
    reactor->Finish(invalid("symbol must be below " + std::to_string(symbols_.size()) + ", depth at most " +
                            std::to_string(kDepthMax)));
    return reactor;
  }
  const Symbol symbol(request->symbol());
  const u32 depth = request->depth();
  return ask(pipeline_, [response, symbol, depth](const State& state) {
    const auto& market = state.matcher.market();
    response->set_sequence(state.last.value);
    fill_levels(market, symbol, Side::kBuy, depth, *response->mutable_bids());
    fill_levels(market, symbol, Side::kSell, depth, *response->mutable_asks());
    response->set_halted(market.halted(symbol));
    response->set_last_trade_price_ticks(market.last_trade_price(symbol).value);
  });
}

grpc::ServerWriteReactor<v1::RestingOrders>* Service::Dump(grpc::CallbackServerContext* /*context*/,
                                                           const v1::DumpRequest* /*request*/) {
  auto* call = new DumpCall;
  if (!pipeline_.ask([call](const State& state) { call->begin(state); })) call->Finish(kBusy);
  return call;
}

grpc::ServerUnaryReactor* Service::Status(grpc::CallbackServerContext* /*context*/,
                                          const v1::StatusRequest* /*request*/, v1::StatusReply* response) {
  return ask(pipeline_, [this, response](const State& state) {
    const auto& market = state.matcher.market();
    response->set_last_sequence(state.last.value);
    response->set_synced_sequence(pipeline_.synced().value);
    response->set_last_trade_id(metrics_.counts.synced_trade_id.get());
    response->set_trade_hash(market.tape().trade_hash);
    for (const std::string& symbol : symbols_) response->add_symbols(symbol);
    response->set_price_ticks_min(market.limits().price_min);
    response->set_price_ticks_max(market.limits().price_max);
    response->set_resting_orders(market.resting_orders());
  });
}

}  // namespace lab::engine
