#include "engine/message.hpp"

namespace lab::engine {
namespace {

constexpr std::size_t kFrameBytesMax = 16;  // tag and length of a result in its batch
constexpr std::size_t kOwnBytesMax = kRequestBytesMax + kTimingBytesMax + kFrameBytesMax;

u8* append(Bytes bytes, u8* out) {
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

// The length of a result must stand before it, hence what varies in length is encoded aside first.
template <class Put>
void encode_framed(std::size_t body_size, Buffer& out, bool framed, const Put& put_head, Bytes body, Bytes tail) {
  u8 head[kOwnBytesMax];
  const std::size_t head_size = static_cast<std::size_t>(put_head(head) - head);
  u8* at = out.reserve(kFrameBytesMax + head_size + body_size + tail.size());
  if (framed) at = encode_length_prefix(kBatchItemField, head_size + body_size + tail.size(), at);
  at = append({head, head_size}, at);
  at = append(body, at);
  out.end_at(append(tail, at));
}

void encode_one(const Pending& pending, const Group& group, const Archive& archive, Bytes timing, bool framed,
                Buffer& out) {
  const auto request = [&](u8* at) { return encode_request_field(pending.request, at); };
  if (pending.size != 0) {
    const Bytes body{group.bytes.data() + pending.offset, pending.size};
    encode_framed(body.size(), out, framed, request, body, timing);
  } else if (pending.repeats.value != 0) {
    Buffer stored;
    archive.read_payload(pending.repeats, stored);
    const auto repeated = [&](u8* at) { return encode_repeated_field(request(at)); };
    encode_framed(stored.size(), out, framed, repeated, stored.view(), {});
  } else {
    const auto refused = [&](u8* at) { return encode_not_sequenced(pending.refused, request(at)); };
    encode_framed(0, out, framed, refused, {}, {});
  }
}

void encode(const Message& message, const Group& group, const Archive& archive, bool framed, Buffer& out) {
  u8 timing[kTimingBytesMax];
  const u8* const timing_end = encode_timing_field(message.timing, timing);
  for (const Pending& pending : message.pending) {
    encode_one(pending, group, archive, {timing, timing_end}, framed, out);
  }
}

}  // namespace

void encode_batch(const Message& message, const Group& group, const Archive& archive, Buffer& out) {
  encode(message, group, archive, true, out);
}

void encode_single(const Message& message, const Group& group, const Archive& archive, Buffer& out) {
  encode(message, group, archive, false, out);
}

}  // namespace lab::engine
