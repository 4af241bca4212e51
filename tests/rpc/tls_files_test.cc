#include "server/rpc/tls_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace rtmixd {
namespace {

using ::testing::HasSubstr;

class TlsFilesTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::remove_all(dir_);
    MakeCa(dir_);
  }

  static void MakeCa(const std::string& dir, const std::string& days = "30") {
    const auto made =
        ChildProcess::Start({"tools/make_test_ca", dir},
                            {.stdin_path = {}, .environment = {"DAYS=" + days}, .quiet = true});
    ASSERT_TRUE(made.ok()) << made.status();
    ASSERT_EQ((*made)->Wait(absl::Minutes(1)).value_or(-1), 0);
  }
  static void Write(const std::string& path, const std::string& text) {
    std::ofstream(path) << text;
  }
  std::string Refusal() const { return std::string(ReadTlsFiles(paths_).status().message()); }

  const std::string dir_ = testing::TempDir() + "/tls";
  TlsMaterial paths_ = {.certificate = dir_ + "/server.pem",
                        .key = dir_ + "/server.key",
                        .client_ca = dir_ + "/ca.pem"};
};

TEST_F(TlsFilesTest, ReadsWhatFits) {
  const auto read = ReadTlsFiles(paths_);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_THAT(read->certificate, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(read->key, HasSubstr("PRIVATE KEY"));
  EXPECT_THAT(read->client_ca, HasSubstr("BEGIN CERTIFICATE"));
  paths_.client_ca = "";
  EXPECT_EQ(ReadTlsFiles(paths_)->client_ca, "");
}

TEST_F(TlsFilesTest, RefusesWhatCannotBeUsedAndNamesTheFile) {
  const TlsMaterial good = paths_;
  paths_.key = dir_ + "/client.key";
  EXPECT_EQ(Refusal(), dir_ + "/client.key is not the key of " + dir_ + "/server.pem");
  paths_ = good;
  paths_.certificate = dir_ + "/missing.pem";
  EXPECT_THAT(Refusal(), HasSubstr("cannot read " + dir_ + "/missing.pem"));
  paths_ = good;
  Write(dir_ + "/garbage", "garbage");
  paths_.certificate = dir_ + "/garbage";
  EXPECT_EQ(Refusal(), dir_ + "/garbage has no certificate in PEM");
  paths_ = good;
  paths_.key = dir_ + "/garbage";
  EXPECT_EQ(Refusal(), dir_ + "/garbage has no private key in PEM without a passphrase");
  paths_ = good;
  paths_.client_ca = dir_ + "/garbage";
  EXPECT_EQ(Refusal(), dir_ + "/garbage has no certificate in PEM");
  paths_ = good;
  MakeCa(dir_, "-1");
  EXPECT_EQ(Refusal(), dir_ + "/server.pem has expired");
}

TEST_F(TlsFilesTest, StampsTellThatFilesWereReplaced) {
  const TlsStamps before = StampsOf(paths_);
  EXPECT_TRUE(before == StampsOf(paths_));
  MakeCa(dir_);
  EXPECT_FALSE(before == StampsOf(paths_));
}

}  // namespace
}  // namespace rtmixd
