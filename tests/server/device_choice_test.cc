#include "server/device_choice.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

TEST(DeviceChoiceTest, TheVirtualDeviceAddsNoFeature) {
  const auto chosen = ChooseDevice(DeviceKind::kVirtual, {});
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(chosen->features, std::vector<std::string>());
  ASSERT_TRUE(chosen->device->ListHostApis().ok());
  EXPECT_EQ(chosen->device->ListHostApis()->at(0).id, "virtual");
}

TEST(DeviceChoiceTest, PortAudioIsAFeatureWhateverDevicesThereAre) {
  const auto chosen = ChooseDevice(DeviceKind::kPortAudio, {});
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  EXPECT_EQ(chosen->features, std::vector<std::string>{"portaudio"});
}

TEST(DeviceChoiceTest, TheFeatureTellsWhatWasChosenByItself) {
  const auto chosen = ChooseDevice(DeviceKind::kAuto, {});
  ASSERT_TRUE(chosen.ok()) << chosen.status();
  const auto apis = chosen->device->ListHostApis();
  const bool is_virtual = apis.ok() && apis->size() == 1 && apis->at(0).id == "virtual";
  EXPECT_EQ(chosen->features,
            is_virtual ? std::vector<std::string>() : std::vector<std::string>{"portaudio"});
}

}  // namespace
}  // namespace rtmixd

int main(int argc, char** argv) {
  rtmixd::BeADeviceProbeIfAsked(argc, argv);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
