#ifndef RTMIXD_SERVER_CONTROL_BATCH_SUM_H_
#define RTMIXD_SERVER_CONTROL_BATCH_SUM_H_

#include <cstdint>
#include <map>
#include <string>
#include <tuple>

#include "server/control/types.h"

namespace rtmixd {

// What the reports of a batch's actions say together, as rtmixd.v1.BatchReport explains it.
//
// Threading: thread-compatible.
class BatchSum {
 public:
  explicit BatchSum(const std::string& batch_id) { sum_.batch_id = batch_id; }

  void Add(const ActionReport& report);
  BatchReport Report() const;

 private:
  void AddXruns(const ActionReport& report);

  BatchReport sum_;  // without what follows from all of them
  std::map<ActionEnd, int> ends_;
  // By what tells one from the others: the range, the place in it, and whether the host told.
  std::map<std::tuple<int64_t, int64_t, int64_t, bool>, XrunInfo> xruns_;
};

}  // namespace rtmixd

#endif  // RTMIXD_SERVER_CONTROL_BATCH_SUM_H_
