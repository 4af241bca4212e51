#include "server/rpc/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace rtmixd {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kLook[] = "/rtmixd.v1.StreamService/GetStream";
constexpr char kPlay[] = "/rtmixd.v1.AudioService/Play";
constexpr char kOpen[] = "/rtmixd.v1.StreamService/OpenStream";
// "test-token-of-ci-0001" and its SHA-256, as sha256sum tells it.
constexpr char kCiToken[] = "test-token-of-ci-0001";
constexpr char kCiHash[] = "4ec3def8b90ef5c4aafd7bc4a2d72f69f0bee98c06e5926701ec54d288793a9a";

class AccessTest : public testing::Test {
 protected:
  void Write(const std::string& text, mode_t mode = 0600) {
    std::remove(path_.c_str());
    std::ofstream(path_) << text;
    ASSERT_EQ(chmod(path_.c_str(), mode), 0);
  }
  absl::Status Open(int max_calls_per_second = 1000, bool tokens = true) {
    auto access =
        Access::Create({.token_file = tokens ? path_ : "",
                        .max_calls_per_second = max_calls_per_second,
                        .monotonic = [this] { return now_; },
                        .log = [this](const std::string& line) { log_.push_back(line); }});
    if (!access.ok()) return access.status();
    access_ = *std::move(access);
    return absl::OkStatus();
  }
  absl::StatusCode Code(const char* method, const std::string& token) {
    return access_->Admit(method, token.empty() ? "" : "Bearer " + token).code();
  }

  const std::string path_ = testing::TempDir() + "/tokens";
  absl::Duration now_ = absl::Seconds(1000);
  std::vector<std::string> log_;
  std::unique_ptr<Access> access_;
};

const std::string& Tokens() {
  static const std::string* const text =
      new std::string("# comment\n\nobserve\twatcher   watcher-token-0001\r\nplay ci sha256:" +
                      std::string(kCiHash) + "\n  administer alice alice-token-000001\n");
  return *text;
}

TEST_F(AccessTest, RolesIncludeThoseBeforeThem) {
  Write(Tokens());
  ASSERT_TRUE(Open().ok());
  const absl::StatusCode ok = absl::StatusCode::kOk;
  const absl::StatusCode denied = absl::StatusCode::kPermissionDenied;
  EXPECT_EQ(Code(kLook, "watcher-token-0001"), ok);
  EXPECT_EQ(Code(kPlay, "watcher-token-0001"), denied);
  EXPECT_EQ(Code(kOpen, "watcher-token-0001"), denied);
  EXPECT_EQ(Code(kLook, kCiToken), ok);
  EXPECT_EQ(Code(kPlay, kCiToken), ok);
  EXPECT_EQ(Code(kOpen, kCiToken), denied);
  EXPECT_EQ(Code("/unknown.Service/Method", kCiToken), denied);
  EXPECT_EQ(Code(kLook, "alice-token-000001"), ok);
  EXPECT_EQ(Code(kOpen, "alice-token-000001"), ok);
  EXPECT_EQ(Code("/unknown.Service/Method", "alice-token-000001"), ok);
}

TEST_F(AccessTest, RefusalsTellMethodRoleAndHolderAndNeverTheToken) {
  Write(Tokens());
  ASSERT_TRUE(Open().ok());
  EXPECT_EQ(
      access_->Admit(kOpen, std::string("Bearer ") + kCiToken).message(),
      "/rtmixd.v1.StreamService/OpenStream needs the role administer; the token of ci has the "
      "role play");
  const absl::Status none = access_->Admit(kLook, "");
  EXPECT_EQ(none.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(std::string(none.message()),
              AllOf(HasSubstr(kLook), HasSubstr("observe"), HasSubstr("none was sent")));
  for (const char* const wrong :
       {"Bearer watcher-token-0002", "Bearer", "Bearer ", "watcher-token-0001",
        "Basic watcher-token-0001", "Bearer  watcher-token-0001", "Bearer watcher-token-0001 "}) {
    const absl::Status status = access_->Admit(kLook, wrong);
    EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << wrong;
    EXPECT_THAT(std::string(status.message()),
                AllOf(HasSubstr("does not know"), Not(HasSubstr("watcher-token"))));
  }
  EXPECT_TRUE(access_->Admit(kLook, "bearer watcher-token-0001").ok());
}

TEST_F(AccessTest, WithoutAFileEveryoneHasEveryRole) {
  ASSERT_TRUE(Open(1000, false).ok());
  EXPECT_TRUE(access_->Admit(kOpen, "").ok());
  EXPECT_TRUE(access_->Admit("/unknown.Service/Method", "Bearer whatever").ok());
}

TEST_F(AccessTest, FilesThatCannotBeUsedAreRefusedWithTheLine) {
  const auto refusal = [this](const std::string& text, mode_t mode = 0600) {
    Write(text, mode);
    return std::string(Open().message());
  };
  EXPECT_THAT(refusal("play ci\n"), HasSubstr("line 1: must be ROLE NAME SECRET"));
  EXPECT_THAT(refusal("\n#\nowner ci 0123456789abcdef\n"),
              HasSubstr("line 3: the role must be observe, play or administer"));
  EXPECT_THAT(refusal("play ci short-token\n"),
              AllOf(HasSubstr("16 to 512"), Not(HasSubstr("short-token"))));
  EXPECT_THAT(refusal("play ci sha256:123\n"), HasSubstr("64 hexadecimal digits"));
  EXPECT_THAT(refusal("play a 0123456789abcdef\nplay b 0123456789abcdef\n"),
              HasSubstr("line 2: the token is that of a"));
  EXPECT_THAT(refusal("# nobody\n"), HasSubstr("has no tokens"));
  EXPECT_THAT(refusal(""), HasSubstr("has no tokens"));
  EXPECT_THAT(refusal("play ci 0123456789abcdef\n", 0644), HasSubstr("can be read by everyone"));
  EXPECT_EQ(refusal("play ci 0123456789abcdef\n", 0640), "");
  // Hashes are no secret.
  EXPECT_EQ(refusal("play ci sha256:" + std::string(kCiHash) + "\n", 0644), "");
  std::remove(path_.c_str());
  EXPECT_THAT(std::string(Open().message()), HasSubstr(path_));
}

TEST_F(AccessTest, TheFileIsReadAgainWhenItChanged) {
  Write("play ci first-token-00001\n");
  ASSERT_TRUE(Open().ok());
  ASSERT_EQ(Code(kPlay, "first-token-00001"), absl::StatusCode::kOk);
  Write("play ci second-token-0001\n");
  EXPECT_EQ(Code(kPlay, "first-token-00001"), absl::StatusCode::kOk);  // not looked after yet
  now_ += absl::Seconds(1);
  EXPECT_EQ(Code(kPlay, "first-token-00001"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(Code(kPlay, "second-token-0001"), absl::StatusCode::kOk);
  // One that cannot be used changes nothing, and is logged once.
  Write("play ci\n");
  now_ += absl::Seconds(1);
  EXPECT_EQ(Code(kPlay, "second-token-0001"), absl::StatusCode::kOk);
  std::remove(path_.c_str());
  now_ += absl::Seconds(1);
  EXPECT_EQ(Code(kPlay, "second-token-0001"), absl::StatusCode::kOk);
  now_ += absl::Seconds(1);
  EXPECT_EQ(Code(kPlay, "second-token-0001"), absl::StatusCode::kOk);
  EXPECT_THAT(log_, ElementsAre(HasSubstr("read again"),
                                AllOf(HasSubstr("stay as they were"), HasSubstr("line 1")),
                                HasSubstr("stay as they were")));
}

TEST_F(AccessTest, CallsPerSecondAreCountedPerHolder) {
  Write(Tokens());
  ASSERT_TRUE(Open(10).ok());
  for (int i = 0; i < 10; ++i) ASSERT_EQ(Code(kPlay, kCiToken), absl::StatusCode::kOk) << i;
  const absl::Status refused = access_->Admit(kPlay, std::string("Bearer ") + kCiToken);
  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(refused.message(),
            "max_calls_per_second is 10; the token of ci makes more calls than that");
  // Others are not touched, those without a token have a bucket of their own.
  EXPECT_EQ(Code(kLook, "alice-token-000001"), absl::StatusCode::kOk);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(Code(kPlay, "wrong-token-" + std::to_string(i)), absl::StatusCode::kUnauthenticated);
  }
  EXPECT_EQ(Code(kPlay, ""), absl::StatusCode::kResourceExhausted);
  // It fills up again, to a second's worth and no further.
  now_ += absl::Milliseconds(100);
  EXPECT_EQ(Code(kPlay, kCiToken), absl::StatusCode::kOk);
  EXPECT_EQ(Code(kPlay, kCiToken), absl::StatusCode::kResourceExhausted);
  now_ += absl::Hours(1);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(Code(kPlay, kCiToken), absl::StatusCode::kOk) << i;
  EXPECT_EQ(Code(kPlay, kCiToken), absl::StatusCode::kResourceExhausted);
}

TEST_F(AccessTest, WithoutAFileAllShareOneLimit) {
  ASSERT_TRUE(Open(2, false).ok());
  EXPECT_TRUE(access_->Admit(kLook, "").ok());
  EXPECT_TRUE(access_->Admit(kLook, "Bearer x").ok());
  EXPECT_EQ(access_->Admit(kLook, "Bearer y").message(),
            "max_calls_per_second is 2; all clients together make more calls than that");
}

}  // namespace
}  // namespace rtmixd
