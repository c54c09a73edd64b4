# cmake -DNAME=symbol -DINPUT=file -DOUTPUT=file.h -P embed_text.cmake: a text as a NUL-ended array of characters, which
# unlike a string literal may be of any length.
file(READ "${INPUT}" text HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," text "${text}")
string(REGEX REPLACE "(0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,)" "\\1\n" text "${text}")
file(WRITE "${OUTPUT}" "static const char ${NAME}[] = {\n${text}0};\n")
