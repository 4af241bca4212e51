#include "server/control/action_news.h"

#include <memory>

#include "gtest/gtest.h"

namespace rtmixd {
namespace {

std::shared_ptr<Action> Numbered(int64_t number) {
  auto action = std::make_shared<Action>();
  action->number = number;
  return action;
}

TEST(ActionNewsTest, GivesEachOnceInOrderOfItsLatestChange) {
  ActionNews news;
  EXPECT_TRUE(news.empty());
  const auto a = Numbered(1);
  const auto b = Numbered(2);
  const auto c = Numbered(3);
  news.Add(c);
  news.Add(a);
  news.Add(b);
  news.Add(c);
  EXPECT_EQ(news.Take(), a);
  news.Add(a);
  EXPECT_EQ(news.Take(), b);
  EXPECT_EQ(news.Take(), c);
  EXPECT_EQ(news.Take(), a);
  EXPECT_TRUE(news.empty());
}

TEST(ActionNewsTest, WhatIsDroppedIsLetGo) {
  ActionNews news;
  auto a = Numbered(1);
  const auto b = Numbered(2);
  news.Add(a);
  news.Add(b);
  news.Drop(*a);
  news.Drop(*Numbered(7));
  const std::weak_ptr<Action> gone = a;
  a = nullptr;
  EXPECT_TRUE(gone.expired());
  EXPECT_EQ(news.Take(), b);
  EXPECT_TRUE(news.empty());
}

}  // namespace
}  // namespace rtmixd
