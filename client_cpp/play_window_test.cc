#include "client_cpp/play_window.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "client_cpp/audio.h"

namespace rtmixd::client {
namespace {

constexpr int64_t kMany = 1000;

// `frames` mono frames that count up from `first`.
std::vector<float> Ramp(int64_t first, int64_t frames) {
  std::vector<float> ramp(static_cast<size_t>(frames));
  std::iota(ramp.begin(), ramp.end(), static_cast<float>(first));
  return ramp;
}

// Checks that `message` is audio of `frames` frames from `position` on.
void ExpectAudio(const std::optional<v1::DuplexRequest>& message, int64_t position,
                 int64_t frames) {
  ASSERT_TRUE(message.has_value());
  ASSERT_TRUE(message->has_audio());
  EXPECT_EQ(message->audio().position(), position);
  std::vector<float> samples;
  DecodeFloat32(message->audio().data(), samples);
  EXPECT_EQ(samples, Ramp(position, frames));
}

TEST(PlayWindowTest, NothingIsSentWithoutCredit) {
  PlayWindow window(1);
  window.Append(Ramp(0, 4));
  EXPECT_FALSE(window.Next(kMany).has_value());
  EXPECT_EQ(window.unsent_frames(), 4);
}

TEST(PlayWindowTest, NeverSendsBeyondItsCredit) {
  PlayWindow window(1);
  window.Append(Ramp(0, 10));
  window.Grant(4);
  ExpectAudio(window.Next(3), 0, 3);
  ExpectAudio(window.Next(3), 3, 1);
  EXPECT_FALSE(window.Next(3).has_value());
  window.Grant(6);
  ExpectAudio(window.Next(3), 4, 2);
  EXPECT_FALSE(window.Next(3).has_value());
}

TEST(PlayWindowTest, CreditIsNeverTakenBack) {
  PlayWindow window(1);
  window.Append(Ramp(0, 10));
  window.Grant(8);
  window.Grant(2);
  ExpectAudio(window.Next(kMany), 0, 8);
}

TEST(PlayWindowTest, ChannelsTravelTogether) {
  PlayWindow window(2);
  window.Append({0, 1, 2, 3, 4, 5});
  window.Grant(2);
  const auto message = window.Next(kMany);
  ASSERT_TRUE(message.has_value());
  std::vector<float> samples;
  DecodeFloat32(message->audio().data(), samples);
  EXPECT_EQ(samples, (std::vector<float>{0, 1, 2, 3}));
  EXPECT_EQ(window.unsent_frames(), 1);
}

TEST(PlayWindowTest, UnconfirmedAudioIsSentAgainAfterABreak) {
  PlayWindow window(1);
  window.Append(Ramp(0, 5));
  window.Grant(4);
  ExpectAudio(window.Next(2), 0, 2);
  ExpectAudio(window.Next(2), 2, 2);
  window.Confirm(2);
  ASSERT_TRUE(window.Rewind(2, 6));
  ExpectAudio(window.Next(2), 2, 2);
  ExpectAudio(window.Next(2), 4, 1);
  EXPECT_FALSE(window.Next(2).has_value());
}

TEST(PlayWindowTest, CreditOfTheNewCallCounts) {
  PlayWindow window(1);
  window.Append(Ramp(0, 10));
  window.Grant(8);
  ExpectAudio(window.Next(8), 0, 8);
  ASSERT_TRUE(window.Rewind(3, 5));
  ExpectAudio(window.Next(8), 3, 2);
  EXPECT_FALSE(window.Next(8).has_value());
}

TEST(PlayWindowTest, ConfirmedAudioCannotBeHadAgain) {
  PlayWindow window(1);
  window.Append(Ramp(0, 10));
  window.Grant(10);
  ExpectAudio(window.Next(10), 0, 10);
  window.Confirm(6);
  EXPECT_FALSE(window.Rewind(5, 20));
  EXPECT_FALSE(window.Rewind(11, 20));
  EXPECT_TRUE(window.Rewind(6, 20));
}

TEST(PlayWindowTest, MarksKeepTheirPlace) {
  PlayWindow window(1);
  window.Grant(kMany);
  window.Append(Ramp(0, 2));
  window.AppendIdle();
  window.Append(Ramp(2, 2));
  window.AppendEnd();
  ExpectAudio(window.Next(kMany), 0, 2);
  EXPECT_TRUE(window.Next(kMany)->has_idle());
  ExpectAudio(window.Next(kMany), 2, 2);
  EXPECT_TRUE(window.Next(kMany)->has_end_of_sound());
  EXPECT_FALSE(window.Next(kMany).has_value());
}

TEST(PlayWindowTest, MarksThatMayBeLostAreSentAgain) {
  PlayWindow window(1);
  window.Grant(kMany);
  window.Append(Ramp(0, 2));
  window.AppendIdle();
  window.Append(Ramp(2, 2));
  window.AppendEnd();
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(window.Next(kMany).has_value());
  ASSERT_TRUE(window.Rewind(3, kMany));
  ExpectAudio(window.Next(kMany), 3, 1);
  EXPECT_TRUE(window.Next(kMany)->has_end_of_sound());
  EXPECT_FALSE(window.Next(kMany).has_value());
}

TEST(PlayWindowTest, FlushDropsWhatWasNotSent) {
  PlayWindow window(1);
  window.Grant(3);
  window.Append(Ramp(0, 10));
  ExpectAudio(window.Next(kMany), 0, 3);
  window.Flush();
  EXPECT_EQ(window.unsent_frames(), 0);
  EXPECT_TRUE(window.Next(kMany)->has_flush());
  window.Grant(kMany);
  EXPECT_FALSE(window.Next(kMany).has_value());
  window.Append(Ramp(3, 2));
  ExpectAudio(window.Next(kMany), 3, 2);
}

TEST(PlayWindowTest, FlushTakesBackAnEndThatWasNotSent) {
  PlayWindow window(1);
  window.Append(Ramp(0, 10));
  window.AppendEnd();
  window.Flush();
  EXPECT_FALSE(window.ended());
  EXPECT_TRUE(window.Next(kMany)->has_flush());
  EXPECT_FALSE(window.Next(kMany).has_value());
}

}  // namespace
}  // namespace rtmixd::client
