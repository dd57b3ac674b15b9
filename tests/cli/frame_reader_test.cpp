#include "cli/frame_reader.h"

#include "base/error.h"

#include <gtest/gtest.h>

#include <string>

using namespace kedge;
using namespace kedge::cli;

namespace {

std::string frame(char stream, const std::string& data) {
    auto size = static_cast<uint32_t>(data.size());
    std::string head = {stream, 0, 0, 0};
    for (int shift : {24, 16, 8, 0}) head += static_cast<char>(size >> shift & 0xff);
    return head + data;
}

struct Taken {
    std::string out, err;
    FrameReader reader{[this](bool error_stream, std::string_view data) { (error_stream ? err : out) += data; }};
};

}  // namespace

TEST(FrameReader, TellsTheStreamsApart) {
    Taken taken;
    taken.reader.take(frame(1, "out") + frame(2, "err") + frame(0, "put") + frame(1, "") + frame(2, "or"));
    EXPECT_EQ(taken.out, "output");
    EXPECT_EQ(taken.err, "error");
    EXPECT_TRUE(taken.reader.between_frames());
}

TEST(FrameReader, DoesNotMindWhereFramesAreCutUp) {
    std::string out(70000, 'a'), err = "bb";
    std::string whole = frame(1, out) + frame(2, err) + frame(2, "") + frame(1, "c");
    for (size_t piece : {1ul, 2ul, 3ul, 7ul, 8ul, 9ul, 4096ul, whole.size()}) {
        Taken taken;
        for (size_t at = 0; at < whole.size(); at += piece)
            taken.reader.take(std::string_view(whole).substr(at, piece));
        EXPECT_EQ(taken.out, out + "c") << piece;
        EXPECT_EQ(taken.err, err) << piece;
        EXPECT_TRUE(taken.reader.between_frames()) << piece;
    }
}

TEST(FrameReader, HandsOverWhatIsThereOfAFrameAtOnce) {
    Taken taken;
    std::string whole = frame(1, "hello");
    taken.reader.take(whole.substr(0, 10));
    EXPECT_EQ(taken.out, "he");
    EXPECT_FALSE(taken.reader.between_frames());
}

TEST(FrameReader, TakesAnExitCodeWhereOneMayCome) {
    FrameReader reader([](bool, std::string_view) {}, true);
    EXPECT_FALSE(reader.exit_code());
    std::string whole = frame(3, "137");
    reader.take(frame(1, "out") + whole.substr(0, whole.size() - 1));
    EXPECT_FALSE(reader.exit_code()) << "13 is not all of it";
    reader.take(whole.substr(whole.size() - 1));
    EXPECT_EQ(reader.exit_code(), 137);
    FrameReader hostile([](bool, std::string_view) {}, true);
    hostile.take(frame(3, "1x"));
    EXPECT_FALSE(hostile.exit_code());
}

TEST(FrameReader, RefusesWhatIsNoStreamOfFrames) {
    Taken taken;
    EXPECT_THROW(taken.reader.take("plain text"), Error);
    Taken other;
    EXPECT_THROW(other.reader.take(frame(3, "x")), Error);
}
