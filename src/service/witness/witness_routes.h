// What each request is answered with.
#pragma once

#include <boost/beast/http/message.hpp>
#include <boost/beast/http/string_body.hpp>

#include <glasscase/ledger/witness.h>

namespace glasscase::witness {

using Request = boost::beast::http::request<boost::beast::http::string_body>;
using Response = boost::beast::http::response<boost::beast::http::string_body>;

Response Answer(ledger::Witness& witness, const Request& request);
// For requests that were not read to their end.
Response Refusal(boost::beast::http::status status, std::string_view why);

}  // namespace glasscase::witness
