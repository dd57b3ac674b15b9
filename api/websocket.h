#pragma once

#include "api/http.h"

#include <mutex>
#include <optional>

namespace kedge::api {

/// The answer to a request that opens a websocket (RFC 6455, 4.2): what it is that asks for none, or has another
/// page's Origin, is refused. Its `take_over` is the caller's to set.
Response accept_websocket(const Request& request);

/// A connection's bytes as a websocket carries them: what is written becomes binary messages, what is read is the data
/// of messages of either kind. One may read while another writes. A client that breaks the rules is hung up on, with
/// the code that says why; no message of it is kept whole.
class WebSocket : public Duplex {
public:
    explicit WebSocket(Duplex& connection) : connection_(connection) {}

    bool write(std::string_view data) override;
    void break_off() override { connection_.break_off(); }
    size_t read(char* data, size_t size) override;
    void end_reading() override { connection_.end_reading(); }
    void hang_up() override;

    /// Says good-bye, once.
    void close(uint16_t code = 1000);

private:
    struct Frame {
        bool last = false;
        unsigned kind = 0;
        uint64_t left = 0;
        unsigned char mask[4] = {};
        size_t at = 0;  ///< how much of it was unmasked
    };
    bool read_exactly(char* data, size_t size);
    std::optional<Frame> next_frame();
    bool answer_control(Frame& frame);
    bool send(unsigned kind, std::string_view data);

    Duplex& connection_;
    Frame frame_;
    bool in_message_ = false;
    bool over_ = false;  ///< of reading
    std::mutex writing_;
    bool closed_ = false;  ///< guarded by writing_
};

}  // namespace kedge::api
