#include "server/rpc/file_stamp.h"

#include <sys/stat.h>

namespace rtmixd {
namespace {

int64_t Nanos(const timespec& time) { return time.tv_sec * 1'000'000'000LL + time.tv_nsec; }

}  // namespace

FileStamp StampOf(const std::string& path) {
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return {};
  return {.device = info.st_dev,
          .inode = info.st_ino,
          .size_bytes = info.st_size,
          .modified_nanos = Nanos(info.st_mtim),
          .changed_nanos = Nanos(info.st_ctim),
          .mode = info.st_mode};
}

}  // namespace rtmixd
