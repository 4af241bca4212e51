// Runs a fuzz target on every file of the folder that is named on the command line, without a
// fuzzer.

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "gtest/gtest.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

std::string g_corpus;

TEST(ReplayTest, CorpusHasNoFinds) {
  std::set<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(g_corpus))
    files.insert(entry.path());
  ASSERT_FALSE(files.empty()) << g_corpus;
  for (const std::filesystem::path& path : files) {
    std::ifstream file(path, std::ios::binary);
    const std::string bytes(std::istreambuf_iterator<char>(file), {});
    std::fprintf(stderr, "%s\n", path.c_str());  // A find aborts.
    LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size());
  }
}

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s CORPUS\n", argv[0]);
    return 2;
  }
  g_corpus = argv[1];
  return RUN_ALL_TESTS();
}
