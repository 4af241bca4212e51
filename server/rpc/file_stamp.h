#ifndef RTMIXD_SERVER_RPC_FILE_STAMP_H_
#define RTMIXD_SERVER_RPC_FILE_STAMP_H_

#include <cstdint>
#include <string>

namespace rtmixd {

// Which content a file has, without reading it: equal stamps, same content. A file that cannot be
// seen has the default stamp.
struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size_bytes = -1;
  int64_t modified_nanos = 0;
  int64_t changed_nanos = 0;  // of the inode: also when permissions or names change
  uint32_t mode = 0;

  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

FileStamp StampOf(const std::string& path);

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_FILE_STAMP_H_
