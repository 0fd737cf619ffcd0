#include "s3_answers.h"

#include <gmock/gmock.h>

namespace glasscase::blobs {
namespace {

using ::testing::HasSubstr;

std::string Listing(std::string_view inside) {
  return "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
         "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Name>b</Name>" +
         std::string(inside) + "</ListBucketResult>";
}

TEST(S3AnswersTest, AListingGivesNamesAndSizes) {
  const auto page = ReadListPage(
      Listing("<IsTruncated>true</IsTruncated><Contents><Key>a&amp;b</Key><Size>7</Size><Owner><ID>x</ID>"
              "</Owner></Contents>\n<Contents><Size>0</Size><Key>c</Key></Contents>"
              "<NextContinuationToken>t/=</NextContinuationToken>"));
  ASSERT_TRUE(page) << page.error().message();
  ASSERT_EQ(page->objects.size(), 2u);
  EXPECT_EQ(page->objects[0].name, "a&b");
  EXPECT_EQ(page->objects[0].bytes, 7u);
  EXPECT_EQ(page->objects[1].name, "c");
  EXPECT_EQ(page->next, "t/=");
}

TEST(S3AnswersTest, ListingsThatAreNotWholeAreRefused) {
  for (const std::string& xml :
       {std::string(), std::string("<ListBucketResult>"), Listing(""), std::string("<Error/>"),
        Listing("<IsTruncated>true</IsTruncated>"), Listing("<IsTruncated>yes</IsTruncated>"),
        Listing("<IsTruncated>false</IsTruncated><NextContinuationToken>t</NextContinuationToken>"),
        Listing("<IsTruncated>false</IsTruncated><Contents><Key>a</Key></Contents>"),
        Listing("<IsTruncated>false</IsTruncated><Contents><Key>a</Key><Size>-1</Size></Contents>"),
        Listing("<IsTruncated>false</IsTruncated><Contents><Key>a</Key>"
                "<Size>99999999999999999999</Size></Contents>"),
        Listing("<IsTruncated>false</IsTruncated>").substr(0, 100)})
    EXPECT_EQ(ReadListPage(xml).error().code(), Code::kDataLoss) << xml;
}

TEST(S3AnswersTest, EntitiesAreNotExpanded) {
  const auto page =
      ReadListPage("<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]>" + Listing("&b;").substr(39));
  EXPECT_THAT(page.error().message(), HasSubstr("document type"));
}

TEST(S3AnswersTest, DeepLongAndEndlessDocumentsAreRefused) {
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "<a>";
  EXPECT_THAT(ReadS3Error(deep).error().message(), HasSubstr("too many elements"));
  std::string many = "<Error>";
  for (int i = 0; i < 60'000; ++i) many += "<a/>";
  EXPECT_THAT(ReadS3Error(many).error().message(), HasSubstr("too many elements"));
  EXPECT_THAT(ReadS3Error("<Error><Code>" + std::string(100'000, 'x')).error().message(),
              HasSubstr("a text in it is too long"));
  EXPECT_THAT(ReadS3Error(std::string(5 << 20, ' ')).error().message(), HasSubstr("it is too long"));
}

TEST(S3AnswersTest, ErrorsHaveACode) {
  const auto error = ReadS3Error("<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>");
  EXPECT_EQ(error.value().code, "NoSuchKey");
  EXPECT_EQ(error.value().message, "gone");
  EXPECT_FALSE(ReadS3Error("<Error><Message>gone</Message></Error>"));
  EXPECT_FALSE(ReadS3Error("Service Unavailable"));
}

TEST(S3AnswersTest, UploadsHaveAnId) {
  EXPECT_EQ(
      ReadUploadId("<InitiateMultipartUploadResult><UploadId>u1</UploadId></InitiateMultipartUploadResult>")
          .value(),
      "u1");
  EXPECT_FALSE(ReadUploadId("<InitiateMultipartUploadResult/>"));
}

TEST(S3AnswersTest, ACompletionNamesThePartsInOrderAndEscapesWhatTheServerSaid) {
  EXPECT_EQ(
      CompletionOf({{"\"e1\"", "AA=="}, {"<&>", "BB=="}}),
      "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
      "<Part><PartNumber>1</PartNumber><ETag>\"e1\"</ETag><ChecksumSHA256>AA==</ChecksumSHA256></Part>"
      "<Part><PartNumber>2</PartNumber><ETag>&lt;&amp;&gt;</ETag><ChecksumSHA256>BB==</ChecksumSHA256></Part>"
      "</CompleteMultipartUpload>");
}

}  // namespace
}  // namespace glasscase::blobs
