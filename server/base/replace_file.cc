#include "server/base/replace_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"

namespace rtmixd {
namespace {

bool WriteAll(int file, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

absl::Status ReplaceFile(const std::string& path, absl::string_view text) {
  const std::string fresh = path + ".new";
  const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (file < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot write ", fresh));
  const absl::Cleanup close_file = [file] { close(file); };
  if (!WriteAll(file, text) || fsync(file) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("cannot write ", fresh));
  }
  if (std::rename(fresh.c_str(), path.c_str()) != 0) {
    const int error = errno;
    unlink(fresh.c_str());
    return absl::ErrnoToStatus(error, absl::StrCat("cannot replace ", path));
  }
  return absl::OkStatus();
}

}  // namespace rtmixd
