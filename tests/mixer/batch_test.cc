#include "server/mixer/batch.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/mixer/voice.h"

namespace rtmixd {
namespace {

Voice::Spec Numbered(int64_t sequence) {
  Voice::Spec spec;
  spec.sequence = sequence;
  // Longer than what a voice has room for: memory of its own, which is to be freed.
  spec.channel_map.assign(20, 0);
  return spec;
}

TEST(BatchTest, VoicesForWhichRoomWasReservedLieInARow) {
  Batch batch;
  batch.ReserveVoices(3);
  for (int64_t i = 0; i < 3; ++i) batch.AddVoice(Numbered(i));
  batch.ReserveVoices(0);
  ASSERT_EQ(batch.voices.size(), 3);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(batch.voices[i], batch.voices[0] + i);
    EXPECT_EQ(batch.voices[i]->sequence(), i);
  }
}

TEST(BatchTest, VoicesStayWhereTheyAreWhileOthersAreAdded) {
  Batch batch;
  batch.ReserveVoices(2);
  std::vector<Voice*> added;
  for (int64_t i = 0; i < 100; ++i) added.push_back(batch.AddVoice(Numbered(i)));
  EXPECT_EQ(batch.voices, added);
  for (int64_t i = 0; i < 100; ++i) EXPECT_EQ(added[i]->sequence(), i);
}

TEST(BatchTest, ReservedRoomNeedNotBeUsed) {
  Batch batch;
  batch.ReserveVoices(5);
  EXPECT_TRUE(batch.voices.empty());
  EXPECT_EQ(batch.AddVoice(Numbered(7))->sequence(), 7);
}

}  // namespace
}  // namespace rtmixd
