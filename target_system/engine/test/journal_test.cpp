// The journal read back whole, torn at every byte, and with every bit of it wrong.

#include "engine/journal.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "engine/matcher.hpp"

namespace lab::engine {
namespace {

namespace fs = std::filesystem;

const JournalHeader kHeader{{.symbols = 2, .price_min = 1, .price_max = 500, .orders = 100}, {"AAPL", "CSCO"}};

class JournalTest : public ::testing::Test {
 protected:
  JournalTest() {
    EXPECT_NE(::mkdtemp(directory.data()), nullptr);
  }
  ~JournalTest() override { fs::remove_all(directory); }

  // Payloads of orders that trade with each other.
  static std::vector<std::string> payloads(int count) {
    Matcher matcher(kHeader.limits, 1'000);
    std::vector<std::string> out;
    for (int i = 1; i <= count; ++i) {
      Command command;
      command.kind = 1;
      command.account = static_cast<u32>(i % 3);
      command.set_client_order_id("order-" + std::to_string(i));
      command.side = i % 2 == 0 ? 1 : 2;
      command.type = 1;
      command.price = 100 + i % 4;
      command.quantity = static_cast<u64>(i);
      command.received_ns = 1'700'000'000'000'000'000ULL;
      Buffer buffer;
      matcher.execute(command, Sequence(static_cast<u64>(i)), 0, buffer);
      out.emplace_back(buffer.data(), buffer.data() + buffer.size());
    }
    return out;
  }

  static Buffer record(const std::string& payload) {
    Buffer buffer;
    u8* const head = buffer.reserve(kRecordHeadBytes + payload.size());
    std::memcpy(head + kRecordHeadBytes, payload.data(), payload.size());
    seal_record(head, payload.size());
    buffer.end_at(head + kRecordHeadBytes + payload.size());
    return buffer;
  }

  // Writes them, each synced on its own; the offsets where each begins, and the end.
  std::vector<u64> write(const std::vector<std::string>& payloads) {
    JournalWriter writer(directory);
    writer.create(kHeader);
    std::vector<u64> offsets{writer.end()};
    for (const std::string& payload : payloads) {
      writer.append(record(payload).view());
      writer.sync();
      offsets.push_back(writer.end());
    }
    return offsets;
  }

  std::string file() const {
    std::ifstream in(journal_path(directory), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void set_file(const std::string& bytes) const {
    std::ofstream(journal_path(directory), std::ios::binary | std::ios::trunc) << bytes;
  }
  void set_synced(u64 bytes) const {
    std::ofstream(directory + "/synced", std::ios::binary).write(reinterpret_cast<const char*>(&bytes), sizeof bytes);
  }

  std::vector<std::string> read_all(JournalReader& reader) const {
    std::vector<std::string> out;
    for (Bytes payload; reader.next(payload);) out.emplace_back(payload.begin(), payload.end());
    return out;
  }
  // What is wrong with the journal, if the reader says so.
  std::optional<std::string> problem() const {
    try {
      JournalReader reader(directory);
      read_all(reader);
      return std::nullopt;
    } catch (const JournalError& error) {
      return error.what();
    }
  }

  std::string directory = (fs::temp_directory_path() / "journal-test-XXXXXX").string();
};

TEST_F(JournalTest, GivesBackWhatWasWritten) {
  const auto written = payloads(10);
  const auto offsets = write(written);
  JournalReader reader(directory);
  EXPECT_EQ(reader.header(), kHeader);
  EXPECT_EQ(read_all(reader), written);
  EXPECT_EQ(reader.offset(), offsets.back());
  EXPECT_EQ(reader.torn_bytes(), 0U);
}

TEST_F(JournalTest, AnUnsyncedEndTornAtAnyByteIsLeftOut) {
  const auto written = payloads(5);
  const auto offsets = write(written);
  const std::string whole = file();
  set_synced(offsets[4]);
  for (u64 size = offsets[4]; size < offsets[5]; ++size) {
    set_file(whole.substr(0, size));
    JournalReader reader(directory);
    EXPECT_EQ(read_all(reader).size(), 4U);
    EXPECT_EQ(reader.offset(), offsets[4]);
    EXPECT_EQ(reader.torn_bytes(), size - offsets[4]);
    EXPECT_EQ(reader.missing_bytes(), 0U);
  }
}

TEST_F(JournalTest, ASyncedRecordCutShortIsLeftOutAndSaidToBeMissing) {
  const auto offsets = write(payloads(5));
  const std::string whole = file();
  for (u64 size = offsets[4] + 1; size < offsets[5]; ++size) {
    set_file(whole.substr(0, size));
    JournalReader reader(directory);
    EXPECT_EQ(read_all(reader).size(), 4U);
    EXPECT_EQ(reader.missing_bytes(), offsets[5] - offsets[4]);
  }
}

TEST_F(JournalTest, PagesOfAnUnsyncedEndThatReachedTheDiskOutOfOrderAreCut) {
  const auto offsets = write(payloads(5));
  set_synced(offsets[2]);
  std::string bytes = file();
  std::fill(bytes.begin() + static_cast<long>(offsets[2]), bytes.begin() + static_cast<long>(offsets[3]), '\0');
  set_file(bytes);
  JournalReader reader(directory);
  EXPECT_EQ(read_all(reader).size(), 2U);
  EXPECT_EQ(reader.torn_bytes(), offsets[5] - offsets[2]);
}

TEST_F(JournalTest, AnyWrongBitInWhatWasSyncedIsDamageThatNamesItsRecord) {
  const auto offsets = write(payloads(4));
  const std::string whole = file();
  for (std::size_t byte = 0; byte < whole.size(); ++byte) {
    std::string damaged = whole;
    damaged[byte] = static_cast<char>(damaged[byte] ^ 1 << byte % 8);
    set_file(damaged);
    const auto error = problem();
    ASSERT_TRUE(error) << "byte " << byte;
    u64 expected = 0;
    for (const u64 offset : offsets) expected = offset <= byte ? offset : expected;
    EXPECT_NE(error->find("byte " + std::to_string(expected) + ":"), std::string::npos) << *error;
  }
}

TEST_F(JournalTest, WithoutItsMarkAHoleBeforeWholeRecordsIsDamage) {
  const auto offsets = write(payloads(4));
  fs::remove(directory + "/synced");
  std::string bytes = file();
  bytes[offsets[1] + 12] ^= 1;
  set_file(bytes);
  EXPECT_TRUE(problem());
}

TEST_F(JournalTest, AnotherVersionIsRefusedByName) {
  write(payloads(1));
  std::string bytes = file();
  bytes[8] = 9;
  set_file(bytes);
  EXPECT_NE(problem().value_or("").find("format version 9, this engine reads 1"), std::string::npos);
}

TEST_F(JournalTest, AfterACutItGrowsAgainWhereTheLastWholeRecordEnds) {
  const auto written = payloads(5);
  const auto offsets = write({written.begin(), written.begin() + 4});
  set_file(file() + "torn");
  {
    JournalWriter writer(directory);
    writer.open_at(offsets.back());
    writer.append(record(written[4]).view());
    writer.sync();
  }
  JournalReader reader(directory);
  EXPECT_EQ(read_all(reader), written);
}

TEST_F(JournalTest, ASecondWriterIsRefused) {
  const JournalWriter first(directory);
  EXPECT_THROW(JournalWriter second(directory), std::system_error);
}

// Bytes that were written once and must be read for ever; the Python tests read them too.
TEST_F(JournalTest, ReadsTheGoldenJournalAndWouldWriteItAgain) {
  fs::copy_file(ENGINE_GOLDEN_JOURNAL, journal_path(directory));
  const std::string golden = file();
  JournalReader reader(directory);
  EXPECT_EQ(read_all(reader), payloads(5));
  fs::remove(journal_path(directory));
  write(payloads(5));
  EXPECT_EQ(file(), golden);
}

TEST_F(JournalTest, AReplayFindsAResultThatIsNotItsCommands) {
  auto written = payloads(3);
  Matcher matcher(kHeader.limits, 1'000);
  Buffer scratch;
  const auto view = [](const std::string& text) { return Bytes{reinterpret_cast<const u8*>(text.data()), text.size()}; };
  const auto problem_of = [&](const std::string& payload, u64 number) {
    Replayed replayed;
    replay_record(view(payload), Sequence(number), matcher, scratch, replayed);
    return replayed.problem;
  };
  EXPECT_EQ(problem_of(written[0], 1), "");
  EXPECT_EQ(problem_of(written[2], 2), "has sequence number 3");
  written[1][3] = 5;  // the outcome
  EXPECT_EQ(problem_of(written[1], 2), "holds another result than its command gives now");
}

}  // namespace
}  // namespace lab::engine
