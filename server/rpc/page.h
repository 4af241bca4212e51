#ifndef RTMIXD_SERVER_RPC_PAGE_H_
#define RTMIXD_SERVER_RPC_PAGE_H_

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "server/base/error_info.h"

namespace rtmixd {

// The part of a list that one answer holds: [begin, end), and the token of the next one.
struct Page {
  static constexpr int kDefaultSize = 100;
  static constexpr int kMaxSize = 1000;

  int64_t begin = 0;
  int64_t end = 0;
  std::string next_page_token;  // "" if this is the last
};

// INVALID_ARGUMENT for a page_size or page_token that no server gave.
inline absl::StatusOr<Page> MakePage(int page_size, const std::string& page_token,
                                     int64_t list_size) {
  if (page_size < 0 || page_size > Page::kMaxSize) {
    return BadField("page_size", absl::StrCat(page_size), absl::StrCat("0 to ", Page::kMaxSize));
  }
  Page page;
  if (!page_token.empty() && (!absl::SimpleAtoi(page_token, &page.begin) || page.begin < 0)) {
    return BadField("page_token", page_token, "a next_page_token of this list");
  }
  page.begin = std::min(page.begin, list_size);
  page.end = std::min(page.begin + (page_size == 0 ? Page::kDefaultSize : page_size), list_size);
  if (page.end < list_size) page.next_page_token = absl::StrCat(page.end);
  return page;
}

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_RPC_PAGE_H_
