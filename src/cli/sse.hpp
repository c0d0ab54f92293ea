// sse_parser: Server-Sent Events out of a body that comes in parts of any size.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace flexcore::cli {

struct sse_message {
    std::string id;       ///< the last id seen, which stands until another comes
    bool has_id = false;  ///< this message brought one
    std::string event;    ///< "message" when none was named
    std::string data;     ///< lines joined by '\n'; empty for a message without data
};

class sse_parser {
public:
    /// Messages completed by these bytes. Comments are skipped; a message that only brings an id
    /// is given too. Line ends are LF, CRLF or CR.
    [[nodiscard]] std::vector<sse_message> feed(std::string_view bytes);

private:
    void line(std::string_view text, std::vector<sse_message>& out);

    std::string rest_;
    bool after_cr_ = false;
    sse_message next_;
    bool began_ = false, has_data_ = false;
};

}  // namespace flexcore::cli
